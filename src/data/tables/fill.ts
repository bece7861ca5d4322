import { LossgraftError, option } from '../../errors.ts';
import type { DataOptions } from '../options.ts';
import { isCategory, type Preparation, type PreparedColumn } from './preparation.ts';
import type { RawColumn, RawTable } from './raw.ts';

export type FillWith = Exclude<NonNullable<DataOptions['missing']>, 'drop' | 'keep'>;

/**
 * The fill values for missing cells, from some rows: the mean, the median or the most frequent number of a column (the smallest of
 * equals), as in scikit-learn's SimpleImputer. Categories take the most frequent one.
 *
 * @param rows `undefined`: all.
 * @throws LossgraftError `missing-value` for a column without a value in these rows.
 */
export function fillIn(
  raw: RawTable,
  preparation: Preparation,
  how: FillWith,
  rows: Uint32Array | undefined,
): Preparation {
  const wanted = preparation.columns.map(({ name }) => raw.columns.findIndex((column) => column.name === name));
  const columns: PreparedColumn[] = [];
  for (let start = 0; start < wanted.length; start += COLUMNS_AT_ONCE) {
    const indices = wanted.slice(start, start + COLUMNS_AT_ONCE);
    const values = collect(raw, indices, rows);
    for (const [i, index] of indices.entries()) {
      const [column, own] = [preparation.columns[start + i], raw.columns[index]];
      if (column && own) columns.push(withFill(raw, column, own, values[i] ?? new Float64Array(), how));
    }
  }
  return { ...preparation, columns };
}

const COLUMNS_AT_ONCE = 8;
const ROWS_AT_ONCE = 4096;

/** The values of columns that are not missing, in row order. */
function collect(raw: RawTable, indices: readonly number[], rows: Uint32Array | undefined): Float64Array[] {
  const size = rows?.length ?? raw.size;
  const found = indices.map(() => new Float64Array(size));
  const counts = indices.map(() => 0);
  const isAsked = rows === undefined ? undefined : new Uint8Array(raw.size);
  for (const row of rows ?? []) isAsked?.fill(1, row, row + 1);
  for (let start = 0; start < raw.size; start += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, raw.size - start);
    const cells = raw.read(start, count);
    for (let row = 0; row < count; row++) {
      if (isAsked && isAsked[start + row] !== 1) continue;
      for (const [i, index] of indices.entries()) {
        const value = cells[row * raw.columns.length + index] ?? Number.NaN;
        if (Number.isNaN(value)) continue;
        found[i]?.fill(value, counts[i], (counts[i] ?? 0) + 1);
        counts[i] = (counts[i] ?? 0) + 1;
      }
    }
  }
  return found.map((values, i) => values.subarray(0, counts[i]));
}

function withFill(
  raw: RawTable,
  column: PreparedColumn,
  own: RawColumn,
  values: Float64Array,
  how: FillWith,
): PreparedColumn {
  if (values.length === 0) throw noValue(raw, column.name);
  if (!isCategory(column)) return { ...column, fill: FILLS[how](values) };
  return { ...column, fill: mostFrequent(Array.from(values, (code) => own.values[code] ?? '')) };
}

const FILLS: Readonly<Record<FillWith, (values: Float64Array) => number>> = {
  mean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  median: (values) => {
    const sorted = Float64Array.from(values).sort();
    const middle = sorted.length / 2;
    const high = sorted[Math.floor(middle)] ?? Number.NaN;
    return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + high) / 2 : high;
  },
  mode: (values) => mostFrequent(values),
};

/** The smallest of equals. */
function mostFrequent<T extends number | string>(values: Iterable<T> & { [i: number]: T }): T {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: readonly [T, number] | undefined;
  for (const pair of counts) {
    if (best === undefined || pair[1] > best[1] || (pair[1] === best[1] && pair[0] < best[0])) best = pair;
  }
  if (best === undefined) throw new RangeError('no values');
  return best[0];
}

function noValue({ name: where }: RawTable, name: string): LossgraftError {
  return new LossgraftError({
    code: 'missing-value',
    where: `${where}, column ${name}`,
    expected: 'a value in at least one training row, to fill in elsewhere',
    found: 'none',
    hint: `Leave the column out with ${option('drop', name)}`,
  });
}
