import { LossgraftError } from '../errors.ts';
import { isFloat } from '../tensor.ts';
import type { Column, Dataset } from './dataset.ts';
import { LABELS } from './dataset.ts';
import { readLabels, wrongDtype } from './labels.ts';
import { MAX_CLASSES } from './limits.ts';
import { random, shuffle } from './random.ts';

/** Rows of a data set, ascending, in two parts. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Divides rows so that every class keeps its share: `fraction` of its samples, rounded to the nearest number, goes to validation, but
 * at least one and at most all but one. A class with a single sample stays in training. The same seed gives the same rows.
 *
 * @param labels class indices, one per row.
 * @throws LossgraftError `split-fraction`
 */
export function stratifiedSplit(labels: ArrayLike<bigint | number>, fraction: number, seed: number): Split {
  if (!(fraction > 0 && fraction < 1)) {
    throw new LossgraftError({
      code: 'split-fraction',
      where: 'option validation',
      expected: 'a fraction between 0 and 1, such as 0.1',
      found: String(fraction),
      hint: 'Correct it',
    });
  }
  const held = new Uint8Array(labels.length);
  for (const [label, rows] of rowsByClass(labels)) {
    const count = Math.min(rows.length - 1, Math.max(1, Math.round(rows.length * fraction)));
    for (const row of shuffle(Uint32Array.from(rows), random(seed, label)).subarray(0, count)) held[row] = 1;
  }
  return { train: rowsWhere(held, 0), validation: rowsWhere(held, 1) };
}

/** The rows of each class, ascending, by class index. */
export function rowsByClass(labels: ArrayLike<bigint | number>): Map<number, number[]> {
  const classes = new Map<number, number[]>();
  for (let row = 0; row < labels.length; row++) {
    const label = Number(labels[row]);
    const rows = classes.get(label);
    if (rows === undefined) classes.set(label, [row]);
    else rows.push(row);
  }
  return new Map([...classes].sort(([a], [b]) => a - b));
}

function rowsWhere(flags: Uint8Array, wanted: number): Uint32Array {
  const rows: number[] = [];
  for (const [row, flag] of flags.entries()) if (flag === wanted) rows.push(row);
  return Uint32Array.from(rows);
}

/** All labels of a data set. @throws LossgraftError for labels that are missing, not class indices, or out of range, with the row. */
export async function labelsOf(data: Dataset, classes?: number): Promise<BigInt64Array> {
  const column = data.columns.get(LABELS);
  if (column === undefined) {
    throw new LossgraftError({
      code: 'no-labels',
      where: data.name,
      expected: `a column ${LABELS}`,
      found: [...data.columns.keys()].join(', ') || 'none',
      hint: 'Give the labels',
    });
  }
  return readLabels(column, 0, column.dims[0] ?? 0, { where: `${data.name}, ${LABELS}`, classes });
}

const COUNTED_AT_ONCE = 65_536;

/** Samples of each class, 0 to the largest label. @throws LossgraftError as {@link labelsOf} does, and for floats, which may be counts or weights. */
export async function countClasses(column: Column, where: string): Promise<number[]> {
  if (isFloat(column.dtype)) throw wrongDtype(where, column.dtype, 'labels of an integer dtype');
  const counts: number[] = [];
  const size = column.dims[0] ?? 0;
  for (let start = 0; start < size; start += COUNTED_AT_ONCE) {
    const count = Math.min(COUNTED_AT_ONCE, size - start);
    for (const label of await readLabels(column, start, count, { where, classes: MAX_CLASSES })) {
      const index = Number(label);
      while (counts.length <= index) counts.push(0);
      counts[index] = (counts[index] ?? 0) + 1;
    }
  }
  return counts;
}
