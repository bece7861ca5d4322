import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Column, Dataset } from './dataset.ts';
import { labelColumn } from './labels.ts';
import { MAX_CLASS_NAMES, MAX_CLASSES } from './limits.ts';
import { byCodePoint } from './order.ts';
import { isMissing, isNumeric } from './tables/numeric.ts';
import type { Cell } from './tables/table.ts';

/** Class indices made from text labels. */
export interface ClassIndex {
  readonly column: Column;
  readonly from: 'names' | 'numbers';
  /** Sorted; `undefined` if the labels are indices already. */
  readonly names: readonly string[] | undefined;
  /** Where each name occurs first. */
  readonly places: readonly string[];
}

/** Collects labels row by row. Their classes are known only once all labels are. */
export interface LabelCollector {
  /** @throws LossgraftError for a missing label, or too many classes. */
  add(cell: Cell, where: string): void;
  /** @throws LossgraftError `label-names` for numbers that are not indices. */
  finish(): ClassIndex;
}

/** @param areNames whether numbers count as names, because the classes are named elsewhere. */
export function labelCollector(areNames: boolean): LabelCollector {
  const codes = new Map<string, number>();
  const places: string[] = [];
  const rows = growingArray();
  const add = (cell: Cell, where: string): void => {
    const label = cell === null ? '' : String(cell);
    let code = codes.get(label);
    if (code === undefined) {
      if (isMissing(label))
        throw refused('missing-value', where, 'a label', cell === null ? 'none' : JSON.stringify(label));
      if (codes.size >= MAX_CLASS_NAMES)
        throw refused('label-names', where, `at most ${MAX_CLASS_NAMES} different labels`, 'more');
      code = codes.size;
      codes.set(label, code);
      places.push(where);
    }
    rows.push(code);
  };
  const finish = (): ClassIndex => {
    const found = [...codes.keys()];
    if (areIndices(found)) {
      const indices = found.map(Number);
      return { column: columnOf(indices), from: 'numbers', names: undefined, places: [] };
    }
    if (!areNames) refuseNumbers(found, places);
    const names = found.toSorted(found.every(isWhole) ? (a, b) => Number(a) - Number(b) : byCodePoint);
    const indices = new Map(names.map((name, index) => [name, index]));
    const column = columnOf(found.map((label) => indices.get(label) ?? 0));
    return { column, from: 'names', names, places: names.map((name) => places[codes.get(name) ?? 0] ?? '') };
  };
  const columnOf = (indices: readonly number[]): Column => labelColumn(rows.finish().map((code) => indices[code] ?? 0));
  return { add, finish };
}

/** The fields of a data set that describe its labels. */
export function indexedLabels(
  index: ClassIndex | undefined,
): Pick<Dataset, 'classNames' | 'classPlaces' | 'labelsFrom'> {
  if (index === undefined) return {};
  const { names, places, from } = index;
  return names === undefined ? { labelsFrom: from } : { labelsFrom: from, classNames: names, classPlaces: places };
}

/** Are these texts whole numbers of at least 0? Writers that know only floating point write `2.0` for 2. */
function areIndices(texts: readonly string[]): boolean {
  return texts.every((text) => isWhole(text) && Number(text) >= 0);
}

function isWhole(text: string): boolean {
  return isNumeric(text) && Number.isInteger(Number(text)) && Math.abs(Number(text)) < MAX_CLASSES;
}

/** Negative whole numbers, which scikit-learn uses for two classes, are valid names; 0.5 is not a class. */
function refuseNumbers(found: readonly string[], places: readonly string[]): void {
  const bad = found.findIndex((label) => !isWhole(label));
  if (bad < 0 || !found.every(isNumeric)) return;
  throw refused(
    'label-names',
    places[bad] ?? '',
    `class indices: whole numbers from 0 to ${MAX_CLASSES - 1}`,
    found[bad] ?? '',
    `Give the classes in their order with ${option('classes')}, so that numbers count as names`,
  );
}

/** Numbers of four bytes each, in blocks, so that growing copies nothing. */
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

function refused(
  code: ErrorCode,
  where: string,
  expected: string,
  found: string,
  hint = 'Correct the label or remove the row',
): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
