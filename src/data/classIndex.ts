import { LossgraftError } from '../errors.ts';
import type { Column } from './dataset.ts';
import { labelColumn } from './labels.ts';
import { MAX_CLASS_NAMES, MAX_CLASSES } from './limits.ts';
import { byCodePoint } from './order.ts';
import { isMissing, isNumeric } from './tables/numeric.ts';
import type { Cell } from './tables/table.ts';

/** Class indices made of a table's labels. */
export interface ClassIndex {
  readonly column: Column;
  /** `undefined` where the labels are indices already. */
  readonly names: readonly string[] | undefined;
}

/** Collects labels row by row: which class each is can be told only when all are known. */
export interface LabelCollector {
  /** @throws LossgraftError for a missing label, one that is not among the given classes, or too many classes. */
  add(cell: Cell, where: string): void;
  /** @throws LossgraftError `label-names` for numbers that are no indices. */
  finish(): ClassIndex;
}

/** @param classes the classes in the order of their indices, where they are given. */
export function labelCollector(classes: readonly string[] | undefined): LabelCollector {
  const codes = new Map<string, number>((classes ?? []).map((name, index) => [name, index]));
  const firstPlaces: string[] = [];
  const rows = growingArray();
  const add = (cell: Cell, where: string): void => {
    const label = cell === null ? '' : String(cell);
    let code = codes.get(label) ?? (classes === undefined ? undefined : codes.get(wholeNumber(label)));
    if (code === undefined) {
      if (isMissing(label))
        throw refused('missing-value', where, 'a label', cell === null ? 'none' : JSON.stringify(label));
      if (classes !== undefined) throw refused('unknown-class', where, `a label among ${shortList(classes)}`, label);
      if (codes.size >= MAX_CLASS_NAMES)
        throw refused('label-names', where, `at most ${MAX_CLASS_NAMES} different labels`, 'more');
      code = codes.size;
      codes.set(label, code);
      firstPlaces.push(where);
    }
    rows.push(code);
  };
  const finish = (): ClassIndex => {
    if (classes !== undefined) return { column: labelColumn(rows.finish()), names: classes };
    const found = [...codes.keys()];
    const isNumbers = found.every(isNumeric);
    const sorted = isNumbers ? undefined : found.toSorted(byCodePoint);
    const places = new Map(sorted?.map((name, index) => [name, index]));
    const indices = found.map((label, code) =>
      isNumbers ? indexOf(label, firstPlaces[code] ?? '') : (places.get(label) ?? 0),
    );
    return { column: labelColumn(rows.finish().map((code) => indices[code] ?? 0)), names: sorted };
  };
  return { add, finish };
}

/** `2.0` as `2`: writers that know only floating point say whole numbers so. */
function wholeNumber(label: string): string {
  return label.trim().replace(/^(\d+)\.0*$/, '$1');
}

function indexOf(label: string, where: string): number {
  const index = Number(label);
  if (Number.isInteger(index) && index >= 0 && index < MAX_CLASSES) return index;
  throw refused(
    'label-names',
    where,
    `class indices: whole numbers from 0 to ${MAX_CLASSES - 1}`,
    label,
    'Give the classes in their order with --classes, so that numbers count as names',
  );
}

/** Numbers in blocks, four bytes each, so that nothing is copied while it grows. */
function growingArray(): { push(value: number): void; finish(): Uint32Array } {
  const blockSize = 65_536;
  const blocks: Uint32Array[] = [];
  let size = 0;
  return {
    push: (value) => {
      if (size % blockSize === 0) blocks.push(new Uint32Array(blockSize));
      const block = blocks.at(-1);
      if (block !== undefined) block[size % blockSize] = value;
      size++;
    },
    finish: () => {
      const all = new Uint32Array(size);
      for (const [i, block] of blocks.entries()) all.set(block.subarray(0, size - i * blockSize), i * blockSize);
      return all;
    },
  };
}

function shortList(names: readonly string[]): string {
  return `${names.slice(0, 10).join(', ')}${names.length > 10 ? `, … (${names.length})` : ''}`;
}

function refused(
  code: string,
  where: string,
  expected: string,
  found: string,
  hint = 'Correct the label or leave the row out',
): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
