import { LossgraftError, option } from '../../errors.ts';
import type { Port } from '../../runtime/feeds.ts';
import { MAX_CATEGORIES } from '../limits.ts';
import type { DataOptions } from '../options.ts';
import { byCodePoint } from '../order.ts';
import { type Encoding, isCategory, type Preparation, type PreparedColumn, widthOf } from './preparation.ts';
import type { RawColumn, RawTable } from './raw.ts';

/** Columns in the order in which a model reads them, without values for missing cells. */
export interface Layout extends Preparation {
  readonly notes: readonly string[];
}

type LayoutOptions = Pick<DataOptions, 'categories' | 'categoryOrder' | 'unknownCategory'>;

/**
 * Lays a table's columns out for a model's inputs. Several inputs, or one for a single number or text, take the columns of their names. A
 * single input takes numbers first and then the categories, as zeros and ones or as indices, depending on its width. Columns that seem to
 * name samples are left out, unless the width calls for them.
 *
 * @param ports the model's inputs; empty if no model is known.
 * @throws LossgraftError `data-shape` if no layout fits the width, `table-columns` if there is nothing to read.
 */
export function layoutFor(raw: RawTable, ports: readonly Port[], options: LayoutOptions): Layout {
  const unknown = options.unknownCategory ?? 'error';
  const named = byInput(raw, ports, options);
  if (named) return { columns: named, unknown, notes: describe(raw, named) };
  const [port] = ports;
  const width = ports.length === 1 ? port?.shape?.[1] : undefined;
  const ways = waysOf(raw, port?.dtype === 'string' ? 'text' : options.categories, options);
  const fits = ways.filter(
    ({ columns }) => columns.length > 0 && (typeof width !== 'number' || totalOf(columns) === width),
  );
  const [found] = fits.length > 0 ? fits : ways.slice(0, 1);
  const hasCategories = raw.columns.some(({ kind }) => kind === 'category');
  if (!found || found.columns.length === 0) throw nothing(raw);
  if (fits.length === 0 && hasCategories && typeof width === 'number') throw noWay(raw, width, ways);
  for (const column of found.columns) refuseMany(raw, column.name);
  return { columns: found.columns, unknown, notes: [...describe(raw, found.columns), ...describeOut(raw, found)] };
}

interface Way {
  readonly columns: readonly PreparedColumn[];
  readonly without: readonly string[];
}

/** The likeliest layout first: zeros and ones, without names of samples. */
function waysOf(raw: RawTable, encoding: Encoding | undefined, options: LayoutOptions): Way[] {
  const identifiers = raw.isChosen ? [] : raw.columns.filter(({ isIdentifier }) => isIdentifier);
  const encodings: readonly Encoding[] = encoding === undefined ? ['one-hot', 'ordinal'] : [encoding];
  const choices = identifiers.length > 0 ? [identifiers, []] : [[]];
  return choices.flatMap((out) => {
    const kept = raw.columns.filter((column) => !out.includes(column));
    const without = out.map(({ name }) => name);
    return encodings.map((as) => ({ columns: inOrder(raw, kept, as, options), without }));
  });
}

/** Numbers come first if categories become several columns, as in pandas' get_dummies, unless the user gave the order. */
function inOrder(raw: RawTable, kept: readonly RawColumn[], as: Encoding, options: LayoutOptions): PreparedColumn[] {
  const all = kept.map((column) => preparedAs(column, as, options));
  if (raw.isChosen || as !== 'one-hot') return all;
  return [...all.filter((column) => !isCategory(column)), ...all.filter(isCategory)];
}

function preparedAs(
  { name, kind, values }: RawColumn,
  as: Encoding,
  { categoryOrder = {} }: LayoutOptions,
): PreparedColumn {
  if (kind !== 'category') return { name };
  const given = Object.hasOwn(categoryOrder, name) ? categoryOrder[name] : undefined;
  return { name, as, categories: as === 'text' ? [] : (given ?? values.toSorted(byCodePoint)) };
}

/** The columns that inputs are named after: a scikit-learn pipeline has an input for each. */
function byInput(raw: RawTable, ports: readonly Port[], options: LayoutOptions): PreparedColumn[] | undefined {
  const isSingle = ports.every(({ shape }) => shape?.length === 1 || shape?.[1] === 1);
  if (ports.length === 0 || !isSingle) return undefined;
  const found = ports.map(({ name, dtype }) => {
    const column = raw.columns.find((each) => each.name === name);
    return column && preparedAs(column, dtype === 'string' ? 'text' : 'ordinal', options);
  });
  return found.every((column) => column !== undefined) ? found : undefined;
}

function totalOf(columns: readonly PreparedColumn[]): number {
  return columns.reduce((sum, column) => sum + widthOf(column), 0);
}

const SHOWN = 8;

/** How categories were encoded. */
function describe(raw: RawTable, columns: readonly PreparedColumn[]): string[] {
  const found = columns.filter(isCategory).filter(({ as }) => as !== 'text');
  if (found.length === 0) return [];
  const list = found.map(({ name, categories }) => `${name} (${shortened(categories)})`).join('; ');
  const isSorted = found.every(({ categories }) =>
    categories.every((one, i) => i === 0 || byCodePoint(categories[i - 1] ?? '', one) < 0),
  );
  const isOneHot = found[0]?.as === 'one-hot';
  const how = isOneHot ? `zeros and ones${raw.isChosen ? '' : ', behind the numbers'}` : 'their indices';
  return [`${raw.name}: categories${isSorted ? ' in sorted order' : ''} become ${how}: ${list}`];
}

function describeOut(raw: RawTable, { without }: Way): string[] {
  if (without.length === 0) return [];
  const one = without.length === 1;
  const names = without.map((name) => JSON.stringify(name)).join(', ');
  return [
    `${raw.name}: left out ${names}, which ${one ? 'names' : 'name'} samples: no value comes twice. Where ${one ? 'it is a feature' : 'they are features'}, ` +
      `${option('featureColumns')} lists all of them`,
  ];
}

function shortened(names: readonly string[]): string {
  return `${names.slice(0, SHOWN).join(', ')}${names.length > SHOWN ? `, … (${names.length})` : ''}`;
}

function refuseMany(raw: RawTable, name: string): void {
  const column = raw.columns.find((each) => each.name === name);
  if (column === undefined || column.values.length <= MAX_CATEGORIES) return;
  throw new LossgraftError({
    code: 'table-columns',
    where: `${raw.name}, column ${name}`,
    expected: `at most ${MAX_CATEGORIES} categories`,
    found: 'more, such as free text has',
    hint: `Leave it out with ${option('drop', name)}, or give texts a ${option('tokenizer')}`,
  });
}

function nothing(raw: RawTable): LossgraftError {
  return new LossgraftError({
    code: 'table-columns',
    where: raw.name,
    expected: 'at least one column of numbers or categories',
    found: raw.columns.map(({ name }) => name).join(', '),
    hint: `Name them with ${option('featureColumns')}; texts need a ${option('tokenizer')}`,
  });
}

function noWay(raw: RawTable, width: number, ways: readonly Way[]): LossgraftError {
  const counts = [...new Set(ways.map(({ columns }) => `${totalOf(columns)} (${wayShown(columns)})`))];
  return new LossgraftError({
    code: 'data-shape',
    where: raw.name,
    expected: `columns that make the ${width} numbers that the model reads`,
    found: counts.join(', or '),
    hint: `Leave columns out with ${option('drop')}, or choose and order them with ${option('featureColumns')}; a category that these data lack is listed with ${option('categoryOrder')}`,
  });
}

function wayShown(columns: readonly PreparedColumn[]): string {
  const found = columns.filter(isCategory);
  const numbers = columns.length - found.length;
  const what = found[0]?.as === 'ordinal' ? 'as indices' : 'as zeros and ones';
  const list = found.map(({ name, categories }) => `${name}: ${categories.length}`).join(', ');
  return `${numbers} of numbers; categories ${what}, ${list}`;
}
