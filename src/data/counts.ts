import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { type ClassCounts, checkClassCounts } from '../classCounts.ts';
import { LossgraftError } from '../errors.ts';
import { isText } from '../tensor.ts';
import { MAX_TEXT_BYTES } from './limits.ts';
import { openArrays } from './numpy/arrays.ts';
import { countClasses } from './split.ts';

/**
 * Class counts from a list (`5000,2997,…` or `ant=5000,bee=2997,…`) or a file: .json (an array, or an object from class to count), .csv (one
 * number per class, or rows `class,count`), .npy of labels or .npz with an array `labels`, which are counted. Classes are indices or names.
 *
 * @throws LossgraftError for counts that are not whole numbers above 0, and for labels of which a class has none.
 */
export async function readCounts(source: string): Promise<ClassCounts> {
  const counts = await numbersIn(source, countLabels);
  checkClassCounts(Object.values(counts));
  return counts;
}

async function numbersIn(source: string, fromArrays: (path: string) => Promise<number[]>): Promise<ClassCounts> {
  if (/^[\s\d.,eE+-]+$/.test(source)) return source.split(',').map(toNumber);
  const isFile = /\.(json|csv|npy|npz)$/i.test(source);
  const pairs = isFile ? [] : source.split(',').map((part) => part.split('='));
  if (pairs.length === 0 || pairs.some(({ length }) => length !== 2)) return fromFile(source, fromArrays);
  return byClass(
    source,
    pairs.map(([name = '', count = '']) => [name.trim(), toNumber(count)]),
  );
}

/**
 * Class weights from a list or a file as in {@link readCounts}; an .npy is of floats, one per class.
 *
 * @throws LossgraftError where there is something else than finite numbers from 0 on.
 */
export async function readWeights(source: string): Promise<ClassCounts> {
  const weights = await numbersIn(source, readFloats);
  const keys = Object.keys(weights);
  const bad = Object.values(weights).findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (bad < 0 && keys.length > 0) return weights;
  throw new LossgraftError({
    code: 'bad-weights',
    where: bad < 0 ? source : `${source}, class ${keys[bad]}`,
    expected: 'finite weights of at least 0, one per class',
    found: bad < 0 ? 'none' : String(Object.values(weights)[bad]),
    hint: 'Correct it',
  });
}

async function fromFile(path: string, fromArrays: (path: string) => Promise<number[]>): Promise<ClassCounts> {
  switch (extname(path).toLowerCase()) {
    case '.json':
      return fromJson(path, readText(path));
    case '.csv':
      return fromCsv(path, readText(path));
    case '.npy':
    case '.npz':
      return fromArrays(path);
    default:
      throw new LossgraftError({
        code: 'unknown-counts-format',
        where: path,
        expected: 'numbers or class=number pairs separated by commas, or a file that ends in .json, .csv, .npy or .npz',
        found: path,
        hint: 'Pass a list such as 5000,2997,1796 or such a file',
      });
  }
}

export function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MAX_TEXT_BYTES) throw new Error(`${size} bytes, above the limit of ${MAX_TEXT_BYTES}`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, 'a readable text file', cause);
  }
}

function fromJson(path: string, text: string): ClassCounts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable(path, 'JSON', cause);
  }
  if (Array.isArray(value)) return value.map((item) => (typeof item === 'number' ? item : Number.NaN));
  if (typeof value === 'object' && value !== null) return byClass(path, Object.entries(value));
  throw unreadable(path, 'an array, or an object from class index to number', JSON.stringify(value).slice(0, 80));
}

/** Lines `class,number` (a header is allowed), or numbers alone. */
function fromCsv(path: string, text: string): ClassCounts {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const rows = lines.map((line) => line.split(',').map((cell) => cell.trim()));
  const isHeading = rows.length > 1 && rows[0]?.every((cell) => Number.isNaN(toNumber(cell)));
  const heading = isHeading ? rows.shift() : undefined;
  const pairs = rows.length > 1 || heading !== undefined ? rows.filter((row) => row.length === 2) : [];
  if (pairs.length > 0 && pairs.length === rows.length) {
    return byClass(
      path,
      pairs.map(([key = '', value = '']) => [key, toNumber(value)]),
    );
  }
  if (rows.length > 1 && rows.some((row) => row.length !== 1)) {
    throw unreadable(path, 'one row of numbers, one number a line, or lines class,number', lines[0] ?? '');
  }
  return rows.flat().map(toNumber);
}

/** By index if the keys are 0…C−1, each once; otherwise by name. @throws LossgraftError `bad-counts` for a class that occurs twice. */
function byClass(path: string, entries: readonly (readonly [string, unknown])[]): ClassCounts {
  const values = new Map(entries.map(([key, value]) => [key, typeof value === 'number' ? value : Number.NaN]));
  const numbers = entries.map((_, index) => values.get(String(index)));
  if (!numbers.includes(undefined)) return numbers.map((value) => value ?? Number.NaN);
  const twice = entries.find(([key], i) => entries.findIndex(([other]) => other === key) !== i);
  if (twice === undefined) return Object.fromEntries(values);
  throw new LossgraftError({
    code: 'bad-counts',
    where: path,
    expected: 'each class once',
    found: `"${twice[0]}" twice`,
    hint: 'Omit one of them',
  });
}

async function countLabels(path: string): Promise<number[]> {
  const data = await openArrays(path);
  try {
    const column = data.unnamed ?? data.columns.get('labels');
    if (column === undefined) throw unreadable(path, 'an array labels', [...data.columns.keys()].join(', '));
    return await countClasses(column, path);
  } finally {
    data.close();
  }
}

async function readFloats(path: string): Promise<number[]> {
  const data = await openArrays(path);
  try {
    const column = data.unnamed;
    const isVector = column?.dims.length === 1 && (column.dtype === 'float32' || column.dtype === 'float64');
    if (column === undefined || !isVector) {
      throw unreadable(
        path,
        'an .npy of floats, one per class',
        column ? `${column.dtype}[${column.dims.join(', ')}]` : 'an .npz',
      );
    }
    const tensor = await column.read(0, column.dims[0] ?? 0);
    return isText(tensor.data) ? [] : Array.from(tensor.data, Number);
  } finally {
    data.close();
  }
}

/** Number('') is 0, which an empty cell is not. */
function toNumber(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

function unreadable(path: string, expected: string, cause: unknown): LossgraftError {
  return new LossgraftError({
    code: 'bad-counts-file',
    where: path,
    expected,
    found: cause instanceof Error ? cause.message : String(cause),
    hint: 'Correct the file',
    cause,
  });
}
