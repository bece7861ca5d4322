import { option } from '../errors.ts';
import { toNumbers } from '../numbers.ts';
import type { Column } from './dataset.ts';

/** The error for rows of several numbers per sample: what they hold, and what to do about it. */
export interface LabelRows {
  readonly found: string;
  readonly hint: string;
}

/** How many rows are examined: a row of two classes among more is rare. */
const LOOKED_AT = 4096;

const ONE_HOT = `labels.argmax(1) gives the class of each sample. If a sample may have several labels, augment, train and evaluate take ${option('task', 'multi-label')}`;
const ONE_EACH = 'Pass one class index per sample';

/** Distinguishes one-hot, multi-hot and soft labels, [N, C], from other things that are not class indices, [N]. */
export async function describeLabelRows(column: Column, size: number): Promise<LabelRows> {
  const { dtype, dims } = column;
  const shape = `${dtype}[${dims.join(', ')}]`;
  const classes = dims.length === 2 ? (dims[1] ?? 0) : 0;
  if (classes < 2 || dtype === 'string') return { found: shape, hint: ONE_EACH };
  const numbers = toNumbers(await column.read(0, Math.min(size, LOOKED_AT)));
  const rows = Array.from({ length: numbers.length / classes }, (_, n) => [
    ...numbers.slice(n * classes, (n + 1) * classes),
  ]);
  if (rows.some((row) => row.some((value) => !(value >= 0 && value <= 1)))) return { found: shape, hint: ONE_EACH };
  if (rows.some((row) => row.some((value) => value !== 0 && value !== 1))) {
    const hint =
      'Rows that sum to 1 are soft labels, which train takes for models of exclusive classes. labels.argmax(1) gives the most likely class of each sample';
    return { found: `soft labels, ${shape}`, hint };
  }
  const other = rows.findIndex((row) => row.filter((value) => value === 1).length !== 1);
  if (other < 0) return { found: `one-hot labels, ${shape}`, hint: ONE_HOT };
  const held = rows[other]?.filter((value) => value === 1).length ?? 0;
  return {
    found: `multi-hot labels, ${shape}: ${held === 0 ? 'no class' : `${held} classes`} in row ${other}`,
    hint: `Several labels per sample are for multi-label models, whose scores no softmax follows; augment, train and evaluate take ${option('task', 'multi-label')}`,
  };
}
