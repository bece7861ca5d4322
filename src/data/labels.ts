import { LossgraftError, option } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { isText } from '../tensor.ts';
import type { Column } from './dataset.ts';
import { describeLabelRows } from './labelRows.ts';

/** What labels must be. */
export interface LabelRange {
  /** Shown in errors. */
  readonly where: string;
  /** Labels are 0…classes−1; `undefined` if the number of classes is unknown. */
  readonly classes: number | undefined;
}

/**
 * Labels as int64, from any integer dtype, bool, or whole floats, which binary networks are trained with; [N] or [N, 1].
 *
 * @throws LossgraftError `labels-dtype`, `labels-shape`, or `label-out-of-range` with the row.
 */
export async function readLabels(
  column: Column,
  start: number,
  count: number,
  range: LabelRange,
): Promise<BigInt64Array> {
  const labels = await readNumbers(column, start, count, range.where);
  const last = range.classes === undefined ? MAX_INT64 : BigInt(range.classes) - 1n;
  for (const [row, label] of labels.entries()) {
    if (label >= 0n && label <= last) continue;
    throw new LossgraftError({
      code: 'label-out-of-range',
      where: `${range.where}, row ${start + row}`,
      expected: range.classes === undefined ? 'a class index from 0 on' : `a class index among 0…${last}`,
      found: `${label}`,
      hint:
        'Class indices start at 0: correct the label or remove the row. A class that the model does not have needs a new last ' +
        `layer: train with ${option('head', 'new')}, or with ${option('addClasses')} to keep the other classes`,
    });
  }
  return labels instanceof BigInt64Array ? labels : new BigInt64Array(labels.buffer, labels.byteOffset, labels.length);
}

/** As {@link readLabels}, whatever the numbers are. @throws LossgraftError `labels-dtype`, `labels-shape` */
export async function readNumbers(
  column: Column,
  start: number,
  count: number,
  where: string,
): Promise<BigInt64Array | BigUint64Array> {
  const { dtype, dims } = column;
  if (dims.length < 1 || dims.slice(1).some((dim) => dim !== 1)) {
    throw new LossgraftError({
      code: 'labels-shape',
      where,
      expected: 'one class index per sample, [N]',
      ...(await describeLabelRows(column, dims[0] ?? 0)),
    });
  }
  if (!/^(u?int(8|16|32|64)|bool|float(32|64))$/.test(dtype)) throw wrongDtype(where, dtype);
  const { data } = await column.read(start, count);
  const broken = isFloats(data) ? data.findIndex((value) => !Number.isSafeInteger(value)) : -1;
  if (broken >= 0) throw wrongDtype(`${where}, row ${start + broken}`, `${data[broken]}`);
  return toBigInts(data);
}

function isFloats(data: Tensor['data']): data is Float32Array | Float64Array {
  return data instanceof Float32Array || data instanceof Float64Array;
}

/** The error for labels that are not class indices. */
export function wrongDtype(where: string, found: string, expected = 'labels that are whole numbers'): LossgraftError {
  return new LossgraftError({
    code: 'labels-dtype',
    where,
    expected,
    found,
    hint: 'Give class indices, for example labels.astype("int64")',
  });
}

const MAX_INT64 = 2n ** 63n - 1n;

function toBigInts(data: Tensor['data']): BigInt64Array | BigUint64Array {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return data;
  return BigInt64Array.from(isText(data) ? [] : Array.from(data, BigInt));
}

/** A column over class indices in memory, four bytes each. */
export function labelColumn(labels: Uint32Array): Column {
  const read = async (start: number, count: number): Promise<Tensor> => {
    const rows = labels.subarray(start, start + count);
    return { dtype: 'int64', dims: [rows.length], data: BigInt64Array.from(rows, BigInt) };
  };
  return { dtype: 'int64', dims: [labels.length], read };
}
