import { LossgraftError, option } from '../../errors.ts';
import { indexedLabels, labelCollector } from '../classIndex.ts';
import { type Column, type Dataset, LABELS, type ShownCell, type TableCells } from '../dataset.ts';
import { noRows } from '../noRows.ts';
import type { DataOptions, TableOptions } from '../options.ts';
import { fillIn } from './fill.ts';
import { isIdentifierName } from './identifiers.ts';
import { layoutFor } from './layout.ts';
import { isCategory, type Preparation } from './preparation.ts';
import { prepareTable } from './prepare.ts';
import type { RawTable } from './raw.ts';
import { readRaw } from './rawTable.ts';
import type { Table } from './table.ts';
import { chooseLabels, columnIndex } from './tableColumns.ts';

/** What a model tells about a table before it is read. */
export interface Expected {
  /** Columns of categories, regardless of what their cells look like. */
  readonly texts: readonly string[];
  /** Whether it records what to fill missing cells with. */
  readonly fills: boolean;
}

/**
 * Reads a table of numbers and categories. Every row is checked now, and kept in memory or a temporary file. The model's inputs decide
 * later how cells become numbers.
 *
 * @throws LossgraftError for cells that are missing or not numbers, with row and column, and for labels that are not classes.
 */
export async function readFeatures(table: Table, options: DataOptions, expected: Expected): Promise<Dataset> {
  if (options.missing === 'drop') refuseDrop(options);
  const aside = chooseLabels(table, options);
  const labels = options.unlabelled ? undefined : aside;
  const ordered = Object.keys(options.categoryOrder ?? {});
  const texts = new Set([...expected.texts, ...(options.categorical ?? []), ...ordered]);
  for (const name of options.categorical ?? []) columnIndex(table, name, 'categorical');
  for (const name of ordered) columnIndex(table, name, 'category-order');
  const collector = labelCollector(options.classes !== undefined);
  const add = (cell: Parameters<typeof collector.add>[0], place: string): void => collector.add(cell, place);
  const { raw, dropped } = await readRaw(
    table,
    chooseFeatures(table, options, aside),
    { ...options, texts, isPatient: expected.fills },
    labels === undefined ? undefined : { column: labels, add },
  );
  try {
    if (raw.size === 0) throw noRows(table.name);
    const index = labels === undefined ? undefined : collector.finish();
    const names = layoutFor(raw, [], options).columns.map(({ name }) => name);
    return {
      name: table.name,
      columns: new Map<string, Column>(index === undefined ? [] : [[LABELS, index.column]]),
      ...indexedLabels(index),
      ...featuresOf(raw, options),
      notes: [
        describe(raw, names, labels === undefined ? undefined : table.columns[labels]),
        ...leftOut(table, options, dropped),
      ],
      close: () => raw.close(),
    };
  } catch (error) {
    raw.close();
    throw error;
  }
}

/** What a data set has of a table's features. */
export function featuresOf(raw: RawTable, options: TableOptions): Pick<Dataset, 'unnamed' | 'table' | 'cellsOf'> {
  return {
    unnamed: prepareTable(raw, [], layoutFor(raw, [], options), true).unnamed,
    table: cellsFor(raw, options),
    cellsOf: (row) => shownCells(raw, row),
  };
}

/** The cells of a table, and what these options make of them. */
function cellsFor(raw: RawTable, options: TableOptions): TableCells {
  const { missing } = options;
  return {
    raw,
    options,
    prepare: (ports, fitted) => {
      if (fitted) refuseOthers(fitted, options);
      const unknown = options.unknownCategory ?? fitted?.unknown ?? 'error';
      const layout = fitted === undefined ? layoutFor(raw, ports, options) : { ...fitted, unknown, notes: [] };
      const prepared = prepareTable(raw, ports, layout, missing === 'keep');
      return { ...prepared, notes: [...layout.notes, ...(fitted ? asFitted(raw, fitted) : suspects(raw, layout))] };
    },
    fit: (ports, rows) => {
      const { notes, ...layout } = layoutFor(raw, ports, options);
      const isFilled = missing === 'mean' || missing === 'median' || missing === 'mode';
      const preparation = isFilled ? fillIn(raw, layout, missing, rows) : layout;
      return { preparation, notes: [...notes, ...suspects(raw, layout)] };
    },
  };
}

function chooseFeatures(
  table: Table,
  { featureColumns, drop = [] }: DataOptions,
  labels: number | undefined,
): readonly number[] {
  const dropped = drop.map((name) => columnIndex(table, name, 'drop'));
  if (!Array.isArray(featureColumns)) {
    return nonEmpty(
      table,
      table.columns.map((_, i) => i).filter((i) => i !== labels && !dropped.includes(i)),
    );
  }
  const columns = featureColumns.map((name: string) => columnIndex(table, name, 'feature-columns'));
  if (labels === undefined || !columns.includes(labels)) return nonEmpty(table, columns);
  throw refused(
    'option featureColumns',
    'columns other than the labels',
    table.columns[labels] ?? '',
    'A model that reads the label learns nothing; remove it',
  );
}

function nonEmpty({ name, columns: all }: Table, columns: readonly number[]): readonly number[] {
  if (columns.length > 0) return columns;
  const hint = `Name them with ${option('featureColumns')}`;
  throw refused(name, 'at least one column of numbers or categories', all.join(', '), hint);
}

/** Rows must not be dropped if their number matters. */
function refuseDrop({ unlabelled, labels }: DataOptions): void {
  if (!unlabelled && labels === undefined) return;
  throw new LossgraftError({
    code: 'option-conflict',
    where: 'option missing',
    expected: unlabelled ? 'a prediction for each row' : 'as many rows as there are labels',
    found: 'rows to be left out',
    hint: `Fill the cells first, as for the training data; a model that was trained with ${option('missing', 'mean')} records what with`,
  });
}

const SHOWN = 12;

function describe({ name, size }: RawTable, names: readonly string[], labels: string | undefined): string {
  const short = names.length > SHOWN ? `${names.slice(0, SHOWN).join(', ')}, … (${names.length})` : names.join(', ');
  return `${name}: ${size} rows; features ${short}${labels === undefined ? '' : `; labels from ${labels}`}`;
}

/** What options left out. */
function leftOut({ name }: Table, { drop = [] }: DataOptions, rows: number): string[] {
  return [
    ...(drop.length === 0 ? [] : [`${name}: left out column${drop.length === 1 ? '' : 's'} ${drop.join(', ')}`]),
    ...(rows === 0 ? [] : [`${name}: left out ${rows} row${rows === 1 ? '' : 's'} with a missing cell`]),
  ];
}

/** Features whose names suggest that they name samples. */
function suspects({ name, isChosen }: RawTable, { columns }: Preparation): string[] {
  const found = columns.filter((column) => isIdentifierName(column.name));
  if (found.length === 0 || isChosen) return [];
  const names = found.map((column) => JSON.stringify(column.name)).join(', ');
  return [`${name}: ${names} seems to name samples, and is a feature: ${option('drop')} leaves it out`];
}

/** What the training rows decided. */
function asFitted(raw: RawTable, { columns }: Preparation): string[] {
  const fitted = new Set(columns.map(({ name }) => name));
  const others = raw.columns.flatMap(({ name, isIdentifier }) => (fitted.has(name) || isIdentifier ? [] : [name]));
  const filled = raw.columns.flatMap(({ name, gap }) => (gap !== undefined && fitted.has(name) ? [name] : []));
  const as = columns.flatMap(({ name, fill }) =>
    filled.includes(name) && fill !== undefined ? [`${name} (${fill})`] : [],
  );
  return [
    ...(others.length === 0 ? [] : [`${raw.name}: the model reads no column ${others.join(', ')}; left aside`]),
    ...(as.length === 0 ? [] : [`${raw.name}: missing cells are filled in as training rows have it: ${as.join(', ')}`]),
  ];
}

/** Options cannot override what training decided. @throws LossgraftError `option-conflict` */
function refuseOthers(
  { columns }: Preparation,
  { categories, categoryOrder = {}, featureColumns }: TableOptions,
): void {
  const moved = columns.find(
    (column) =>
      isCategory(column) && String(categoryOrder[column.name] ?? column.categories) !== String(column.categories),
  );
  if (moved && isCategory(moved))
    throw recordedOtherwise('categoryOrder', moved.categories.join(', '), categoryOrder[moved.name]?.join(', '));
  const encoding = columns.find((column) => isCategory(column) && column.as !== categories);
  const [key, found] =
    categories !== undefined && encoding && isCategory(encoding)
      ? (['categories', encoding.as] as const)
      : featureColumns !== undefined && String(featureColumns) !== String(columns.map(({ name }) => name))
        ? (['featureColumns', columns.map(({ name }) => name).join(', ')] as const)
        : [];
  if (key !== undefined)
    throw recordedOtherwise(key, found, String(key === 'categories' ? categories : featureColumns));
}

function recordedOtherwise(key: string, recorded: string, found: string | undefined): LossgraftError {
  return new LossgraftError({
    code: 'option-conflict',
    where: `option ${key}`,
    expected: `what the model records of its training: ${recorded}`,
    found: found ?? 'nothing',
    hint: 'Leave the option out',
  });
}

/** The cells of a row, for people. */
function shownCells(raw: RawTable, row: number): ShownCell[] {
  const cells = raw.read(row, 1);
  return raw.columns.map(({ name, kind, values }, i) => {
    const cell = cells[i] ?? Number.NaN;
    if (Number.isNaN(cell)) return { column: name, value: 'missing' };
    return { column: name, value: kind === 'category' ? (values[cell] ?? '') : cell };
  });
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'table-columns', where, expected, found, hint });
}
