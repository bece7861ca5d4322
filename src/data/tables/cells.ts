import { LossgraftError, option } from '../../errors.ts';
import { MAX_CATEGORIES } from '../limits.ts';
import type { DataOptions } from '../options.ts';
import { isMissing, isNumeric } from './numeric.ts';
import type { Cell } from './table.ts';

/** The cells of one column while they are read. */
export interface FeatureCells {
  readonly name: string;
  readonly values: readonly string[];
  readonly places: readonly string[];
  /** @returns the number, the index of the category, or NaN for a missing cell. */
  add(cell: Cell, place: () => string): number;
  kind(): 'number' | 'category' | 'empty';
  /** Whether no value occurred twice. */
  areUnique(): boolean;
  /** The first missing cell. */
  gap(): string | undefined;
}

/**
 * Reads cells of a column that may hold numbers or categories. The first cell decides; cells of the other kind are refused. `true` and
 * `false` are 1 and 0, as in pandas.
 */
export function cellsOf(
  name: string,
  { missing, texts, isPatient }: DataOptions & { readonly texts: ReadonlySet<string>; readonly isPatient: boolean },
): FeatureCells {
  const dictionary = new Map<string, number>();
  const [values, places]: [string[], string[]] = [[], []];
  const numbers = new Set<number>();
  let kind: 'number' | 'category' | undefined = texts.has(name) ? 'category' : undefined;
  let gap: string | undefined;
  let hasTwins = false;
  let first = '';
  const addGap = (cell: Cell, place: () => string): number => {
    gap ??= place();
    if (missing === undefined && !isPatient) throw missingCell(cell, gap);
    return Number.NaN;
  };
  const addNumber = (number: number): number => {
    if (hasTwins || numbers.size >= MAX_CATEGORIES) return number;
    hasTwins = numbers.has(number);
    numbers.add(number);
    return number;
  };
  const addText = (text: string, place: () => string): number => {
    const known = dictionary.get(text);
    hasTwins ||= known !== undefined;
    if (known !== undefined) return known;
    // Beyond that they are only counted: no model has an input for each of them.
    if (values.length < MAX_CATEGORIES) dictionary.set(text, values.length);
    if (values.length <= MAX_CATEGORIES) values.push(text);
    if (places.length <= MAX_CATEGORIES) places.push(place());
    return values.length - 1;
  };
  const add = (cell: Cell, place: () => string): number => {
    if (lacks(cell)) return addGap(cell, place);
    if (kind === 'category' && texts.has(name)) return addText(String(cell), place);
    const number = toNumber(cell);
    const isNumber = !Number.isNaN(number);
    if (isNumber && !Number.isFinite(Math.fround(number))) throw noNumber(cell, place());
    if (!isNumber && looksNumeric(cell)) throw noNumber(cell, place());
    kind ??= isNumber ? 'number' : 'category';
    if (first === '') first = place();
    if (isNumber === (kind === 'number')) return isNumber ? addNumber(number) : addText(String(cell), place);
    throw isNumber ? mixed(values[0] ?? '', first, cell, place()) : noNumber(cell, place());
  };
  return {
    name,
    values,
    places,
    add,
    kind: () => kind ?? 'empty',
    areUnique: () => !hasTwins,
    gap: () => gap,
  };
}

/** Whether a cell is missing. */
export function lacks(cell: Cell): boolean {
  return cell === null || (typeof cell === 'string' && isMissing(cell)) || Number.isNaN(cell);
}

const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ['true', 1],
  ['True', 1],
  ['TRUE', 1],
  ['false', 0],
  ['False', 0],
  ['FALSE', 0],
]);

function toNumber(cell: Cell): number {
  if (typeof cell !== 'string') return Number(cell);
  return isNumeric(cell) ? Number(cell) : (BOOLEANS.get(cell.trim()) ?? Number.NaN);
}

/** Infinity and hexadecimals are numbers that are not accepted; they are not categories. */
function looksNumeric(cell: Cell): boolean {
  return typeof cell === 'string' && /^[+-]?(inf(inity)?|0x[0-9a-f]+)$/i.test(cell.trim());
}

function shown(cell: Cell): string {
  return cell === null ? 'nothing' : typeof cell === 'string' ? JSON.stringify(cell.slice(0, 80)) : String(cell);
}

export function missingCell(cell: Cell, where: string): LossgraftError {
  return new LossgraftError({
    code: 'missing-value',
    where,
    expected: 'a finite number within float32’s range, or a category',
    found: `a missing value (${shown(cell)})`,
    hint: `Fill it in; leave all such rows out with ${option('missing', 'drop')}; let training fill them with ${option('missing', 'mean')} or another such value; or, where the model fills them itself, keep them with ${option('missing', 'keep')}`,
  });
}

function noNumber(cell: Cell, where: string): LossgraftError {
  return new LossgraftError({
    code: 'no-number',
    where,
    expected: 'a finite number within float32’s range',
    found: shown(cell),
    hint: `Correct it, leave the column out with ${option('drop')}, say that it holds categories with ${option('categorical')}, or give texts a ${option('tokenizer')}`,
  });
}

function mixed(text: string, first: string, cell: Cell, where: string): LossgraftError {
  return new LossgraftError({
    code: 'no-number',
    where: first,
    expected: `a number, as in ${where}: ${shown(cell)}`,
    found: JSON.stringify(text.slice(0, 80)),
    hint: `Correct it, or say that the column holds categories with ${option('categorical')}`,
  });
}
