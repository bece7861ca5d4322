import { LossgraftError } from '../errors.ts';
import { elementCount, type Tensor } from '../tensor.ts';

/** The model's input value for each byte, by channel: 256 values each. */
export interface ByteScale {
  readonly tables: readonly Float32Array[];
  /** The value of a black pixel, by channel. */
  readonly black: readonly number[];
  readonly white: readonly number[];
}

export interface Normalization {
  /** Multiplies the bytes; `undefined`: they are divided by 255. */
  readonly factor?: number;
  /** One number for all channels, or one for each. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/**
 * (byte / 255 − mean) / std, each step rounded to float32 as PyTorch rounds it.
 *
 * @throws LossgraftError `bad-normalization` if numbers do not fit the channels, or a standard deviation is not above 0.
 */
export function byteScale(channels: number, { factor, mean, std }: Normalization): ByteScale {
  const means = spread('mean', mean, channels);
  const stds = spread('std', std, channels);
  const bad = stds.find((value) => !(value > 0));
  if (bad !== undefined) throw refused('std', 'numbers above 0', String(bad));
  const tables = means.map((m, c) => {
    const [subtract, divide] = [Math.fround(m), Math.fround(stds[c] ?? 1)];
    return Float32Array.from({ length: 256 }, (_, byte) => {
      const scaled = Math.fround(factor === undefined ? byte / 255 : byte * factor);
      return Math.fround(scaled - subtract) / divide;
    });
  });
  const of = (byte: number): number[] => tables.map((table) => table[byte] ?? 0);
  return { tables, black: of(0), white: of(255) };
}

/** Bytes [N, C, …] as numbers, by the table of their channel. */
export function scaleBytes({ dims, data }: Tensor, tables: readonly Float32Array[]): Tensor {
  const out = new Float32Array(data.length);
  const plane = elementCount(dims.slice(2));
  for (let start = 0, c = 0; start < out.length; start += plane, c = (c + 1) % tables.length) {
    const table = tables[c];
    for (let i = start; i < start + plane; i++) out[i] = table?.[Number(data[i])] ?? 0;
  }
  return { dtype: 'float32', dims, data: out };
}

function spread(option: string, values: readonly number[], channels: number): readonly number[] {
  if (!values.every(Number.isFinite)) throw refused(option, 'finite numbers', values.join(', '));
  const [only] = values;
  if (values.length === 1 && only !== undefined) return Array.from({ length: channels }, () => only);
  if (values.length === channels) return values;
  throw refused(option, `one number, or ${channels}, one per channel`, `${values.length}`);
}

function refused(option: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-normalization',
    where: `option ${option}`,
    expected,
    found,
    hint: 'Correct it',
  });
}
