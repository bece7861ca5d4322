import type { Dataset, ShownCell } from '../data/dataset.ts';
import { quantile } from '../metrics/bootstrap.ts';
import type { Preview, PreviewCell } from './report.ts';

/** Ascending values of each numeric column, from a part of the training samples. */
export type Usual = ReadonlyMap<string, Float64Array>;

/** Values examined over all columns. */
const LOOKED_AT = 400_000;
const MOST_ROWS = 2000;
/** Cells of a row kept in the page. */
const MAX_CELLS = 40;

/** The usual values of a table's columns; none if the data are not a table. */
export function usualOf(data: Dataset, rows: Uint32Array): Usual {
  const columns = rows[0] === undefined ? [] : (data.cellsOf?.(rows[0]) ?? []);
  const limit = Math.min(MOST_ROWS, Math.ceil(LOOKED_AT / Math.max(1, columns.length)), rows.length);
  const found = columns.map(() => new Float64Array(limit));
  for (let i = 0; i < limit; i++) {
    const cells = data.cellsOf?.(rows[Math.floor((i * rows.length) / limit)] ?? 0) ?? [];
    for (const [c, { value }] of cells.entries())
      found[c]?.fill(typeof value === 'number' ? value : Number.NaN, i, i + 1);
  }
  const numbers = columns.flatMap(({ column }, c) => {
    const values = found[c]?.sort();
    return values === undefined || values.some(Number.isNaN) ? [] : [[column, values] as const];
  });
  return new Map(numbers);
}

/** A row's cells, the most unusual first. */
export function cellsPreview(cells: readonly ShownCell[], usual: Usual): Preview {
  const ranked = cells.map((cell) => ({ ...cell, ...judge(cell, usual.get(cell.column)) }));
  // A stable sort: cells that are not unusual keep their order.
  const sorted = ranked.toSorted((a, b) => a.rarity - b.rarity || b.distance - a.distance);
  const shown = sorted
    .slice(0, MAX_CELLS)
    .map(({ column, value, range }): PreviewCell => ({ column, value: textOf(value), usual: range }));
  return { kind: 'cells', cells: shown, left: cells.length - shown.length };
}

const EDGE = 0.05;

interface Judgement {
  /** The share of training samples at least as far out on the same side; 1 for values that are not far out. */
  readonly rarity: number;
  /** The distance outside, in widths of the usual range. */
  readonly distance: number;
  readonly range: string | null;
}

const USUAL: Judgement = { rarity: 1, distance: 0, range: null };

function judge({ value }: ShownCell, values: Float64Array | undefined): Judgement {
  if (typeof value !== 'number' || values === undefined) return USUAL;
  const [low, high] = [quantile(values, EDGE), quantile(values, 1 - EDGE)];
  if (value >= low && value <= high) return USUAL;
  const beyond = values.reduce((n, other) => n + ((value > high ? other >= value : other <= value) ? 1 : 0), 0);
  const outside = value > high ? value - high : low - value;
  const width = high > low ? high - low : Math.abs(low) || 1;
  return { rarity: beyond / values.length, distance: outside / width, range: rangeOf(low, high) };
}

function rangeOf(low: number, high: number): string {
  return low === high ? textOf(low) : `${textOf(low, 3)} to ${textOf(high, 3)}`;
}

function textOf(value: number | string, digits = 6): string {
  return typeof value === 'string' ? value : String(Number(value.toPrecision(digits))).replace('-', '−');
}
