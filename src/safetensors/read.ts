import { LossgraftError } from '../errors.ts';
import { openFile } from '../files/source.ts';
import { elementCount, type Tensor } from '../tensor.ts';

/** A header is names and shapes: numpy-like states stay far below (CWE-770). */
const MAX_HEADER_BYTES: number = 64 * 2 ** 20;

/**
 * Reads the float32 tensors of a safetensors file.
 *
 * @throws LossgraftError `bad-safetensors` if it is damaged or holds another type.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  const file = openFile(path);
  try {
    const fail = (found: string): LossgraftError => damaged(path, found);
    if (file.size < 8) throw fail(`${file.size} bytes`);
    const length = Number(Buffer.from(file.read(0, 8)).readBigUInt64LE());
    if (length > MAX_HEADER_BYTES || 8 + length > file.size) throw fail(`a header of ${length} bytes`);
    const header = parse(Buffer.from(file.read(8, length)).toString('utf8'), fail);
    const start = 8 + length;
    const tensors = new Map<string, Tensor>();
    for (const [name, entry] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const { dims, from, to } = entryOf(name, entry, fail);
      if (start + to > file.size) throw fail(`a file of ${file.size} bytes that ends before "${name}" does`);
      const data = new Float32Array((to - from) / 4);
      file.readInto(new Uint8Array(data.buffer), start + from);
      tensors.set(name, { dtype: 'float32', dims, data });
    }
    return tensors;
  } finally {
    file.close();
  }
}

function parse(text: string, fail: (found: string) => LossgraftError): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // Reported below.
  }
  throw fail('a header that is not a JSON object');
}

function entryOf(
  name: string,
  entry: unknown,
  fail: (found: string) => LossgraftError,
): { dims: number[]; from: number; to: number } {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  const numbers = (value: unknown): number[] =>
    Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0) ? value : [Number.NaN];
  const dims = numbers(shape);
  const [from = Number.NaN, to = Number.NaN] = numbers(offsets);
  if (dtype === 'F32' && to - from === 4 * elementCount(dims)) return { dims, from, to };
  throw fail(`"${name}" as ${String(dtype)} [${dims.join(', ')}] in ${to - from} bytes`);
}

function damaged(path: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-safetensors',
    where: path,
    expected: 'a safetensors file of float32 tensors',
    found,
    hint: 'It is damaged or was not written by lossgraft',
  });
}
