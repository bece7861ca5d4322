import { breather } from '../../breather.ts';
import type { ErrorCode } from '../../errorCodes.ts';
import { LossgraftError, option } from '../../errors.ts';
import type { Tensor } from '../../tensor.ts';
import { indexedLabels, labelCollector } from '../classIndex.ts';
import { type Column, type Dataset, LABELS, type ShownCell } from '../dataset.ts';
import { noRows } from '../noRows.ts';
import type { DataOptions } from '../options.ts';
import { type RowStore, rowStore } from '../rowStore.ts';
import { lacks } from './cells.ts';
import { isNumeric } from './numeric.ts';
import { type Cell, placeOf, type Table } from './table.ts';
import { chooseLabels, columnIndex } from './tableColumns.ts';

/**
 * Reads a table of numbers for inputs with assigned columns. Every row is checked now, and kept in memory or a temporary file.
 *
 * @throws LossgraftError for cells that are missing or not numbers, with row and column, and for labels that are not classes.
 */
export async function readNumbers(table: Table, options: DataOptions): Promise<Dataset> {
  refuseForFeatures(options);
  const aside = chooseLabels(table, options);
  const labels = options.unlabelled ? undefined : aside;
  const inputs = plan(table, options, aside).map((input) => ({ ...input, store: rowStore(table.name) }));
  try {
    const collector = labelCollector(options.classes !== undefined);
    const needed = [...inputs.flatMap(({ columns }) => columns), ...(labels === undefined ? [] : [labels])];
    let size = 0;
    let dropped = 0;
    const breathe = breather(options.signal);
    for await (const { cells, line } of table.rows(needed)) {
      const row = size + dropped;
      const place = (column: number): string => `${placeOf(table, row, line)}, column ${table.columns[column]}`;
      if (options.missing === 'drop' && cells.some(lacks)) {
        dropped++;
        continue;
      }
      writeInputs(inputs, cells, place);
      if (labels !== undefined) collector.add(cells.at(-1) ?? null, place(labels));
      size++;
      await breathe();
    }
    if (size === 0) throw noRows(table.name);
    const index = labels === undefined ? undefined : collector.finish();
    const columns = inputs.map((input) => [input.name, inputColumn(input, size, table.name)] as const);
    return {
      name: table.name,
      columns: new Map<string, Column>([...columns, ...(index === undefined ? [] : [[LABELS, index.column] as const])]),
      unnamed: undefined,
      ...indexedLabels(index),
      cellsOf: (row) => inputs.flatMap((input) => cellsOf(table, input, row)),
      notes: [
        ...describe(table, size, inputs, labels),
        ...(dropped === 0
          ? []
          : [`${table.name}: left out ${dropped} row${dropped === 1 ? '' : 's'} with a missing cell`]),
      ],
      close: () => inputs.forEach(({ store }) => void store.close()),
    };
  } catch (error) {
    for (const { store } of inputs) store.close();
    throw error;
  } finally {
    table.close();
  }
}

interface PlannedInput {
  readonly name: string;
  readonly dtype: 'float32' | 'int64';
  readonly columns: readonly number[];
}

interface Input extends PlannedInput {
  readonly store: RowStore;
}

function plan(
  table: Table,
  { featureColumns, labels: labelsFile }: DataOptions,
  labels: number | undefined,
): PlannedInput[] {
  if (featureColumns === undefined || Array.isArray(featureColumns)) throw new RangeError('columns for each input');
  if (labelsFile === undefined && Object.hasOwn(featureColumns, LABELS)) {
    throw refused(
      'table-columns',
      'option featureColumns',
      'inputs but the labels',
      LABELS,
      `Name their column with ${option('labelColumn')}`,
    );
  }
  return Object.entries(featureColumns).map(([key, names]) => {
    const isInteger = key.endsWith(':int64');
    return {
      name: key.replace(/:int64$/, ''),
      dtype: isInteger ? 'int64' : 'float32',
      columns: pick(table, names, labels),
    };
  });
}

function pick(table: Table, names: readonly string[], labels: number | undefined): readonly number[] {
  const columns = names.map((name) => columnIndex(table, name, 'feature-columns'));
  if (labels === undefined || !columns.includes(labels)) return nonEmpty(table, columns);
  throw refused(
    'table-columns',
    'option featureColumns',
    'columns other than the labels',
    table.columns[labels] ?? '',
    'A model that reads the label learns nothing; remove it',
  );
}

function nonEmpty(table: Table, columns: readonly number[]): readonly number[] {
  if (columns.length > 0) return columns;
  throw refused(
    'table-columns',
    table.name,
    'at least one column of numbers',
    table.columns.join(', '),
    `Name them with ${option('featureColumns')}`,
  );
}

function writeInputs(inputs: readonly Input[], cells: readonly Cell[], place: (column: number) => string): void {
  let at = 0;
  for (const { columns, dtype, store } of inputs) {
    const values = cells.slice(at, at + columns.length);
    const where = (i: number): string => place(columns[i] ?? 0);
    store.append(new Uint8Array((dtype === 'int64' ? toIntegers(values, where) : toFloats(values, where)).buffer));
    at += columns.length;
  }
}

function toFloats(cells: readonly Cell[], where: (i: number) => string): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(cells.length);
  for (const [i, cell] of cells.entries()) {
    const number = toNumber(cell);
    floats[i] = number;
    if (!Number.isFinite(floats[i])) throw noNumber(cell, where(i), 'a finite number within float32’s range');
  }
  return floats;
}

function toIntegers(cells: readonly Cell[], where: (i: number) => string): BigInt64Array<ArrayBuffer> {
  return BigInt64Array.from(cells, (cell, i) => {
    const whole = toInteger(cell);
    if (whole === undefined || BigInt.asIntN(64, whole) !== whole)
      throw noNumber(cell, where(i), 'a whole number within int64’s range');
    return whole;
  });
}

/** Exact to the last digit: identifiers exceed the precision of floating point. */
function toInteger(cell: Cell): bigint | undefined {
  if (typeof cell === 'bigint') return cell;
  if (typeof cell === 'string' && /^\s*[+-]?\d+\s*$/.test(cell)) return BigInt(cell.trim().replace(/^\+/, ''));
  const number = toNumber(cell);
  return Number.isSafeInteger(number) ? BigInt(number) : undefined;
}

function toNumber(cell: Cell): number {
  if (typeof cell === 'string') return isNumeric(cell) ? Number(cell) : Number.NaN;
  return cell === null ? Number.NaN : Number(cell);
}

/** Options that this reader does not have. */
function refuseForFeatures({ missing, labels, unlabelled, ...options }: DataOptions): void {
  const own = ['categorical', 'categories', 'categoryOrder', 'unknownCategory'] as const;
  const other = own.find((key) => options[key] !== undefined);
  if (other !== undefined || (missing !== undefined && missing !== 'drop'))
    throw conflict(
      other ?? 'missing',
      'a list of columns, for one input',
      `columns for each input (${option('featureColumns')})`,
    );
  if (missing === undefined) return;
  if (unlabelled) throw conflict('missing', 'a prediction for each row', 'rows to be left out');
  if (labels !== undefined) throw conflict('missing', 'as many rows as there are labels', 'rows to be left out');
}

function conflict(key: string, expected: string, found: string): LossgraftError {
  return refused('option-conflict', `option ${key}`, expected, found, 'Leave one of the options out');
}

function noNumber(cell: Cell, where: string, expected: string): LossgraftError {
  const missing = lacks(cell);
  const found = cell === null ? 'nothing' : typeof cell === 'string' ? JSON.stringify(cell.slice(0, 80)) : String(cell);
  return refused(
    missing ? 'missing-value' : 'no-number',
    where,
    expected,
    missing ? `a missing value (${found})` : found,
    missing
      ? `Fill it in, or leave all such rows out with ${option('missing', 'drop')}`
      : `Correct it, leave the column out with ${option('drop')}, or give texts a ${option('tokenizer')}`,
  );
}

function inputColumn({ columns, dtype, store }: Input, size: number, name: string): Column {
  const width = columns.length;
  const Values = dtype === 'int64' ? BigInt64Array : Float32Array;
  const read = async (start: number, count: number): Promise<Tensor> => {
    if (start < 0 || count < 0 || start + count > size) {
      throw refused(
        'rows-out-of-range',
        name,
        `rows among 0…${size - 1}`,
        `${count} rows from ${start} on`,
        'Read within the table',
      );
    }
    const data = new Values(count * width);
    store.readInto(new Uint8Array(data.buffer), start * width * Values.BYTES_PER_ELEMENT);
    return { dtype, dims: [count, width], data };
  };
  return { dtype, dims: [size, width], read };
}

function cellsOf(table: Table, { columns, dtype, store }: Input, row: number): ShownCell[] {
  const data = new (dtype === 'int64' ? BigInt64Array : Float32Array)(columns.length);
  store.readInto(new Uint8Array(data.buffer), row * data.byteLength);
  return columns.map((column, i) => ({ column: table.columns[column] ?? '', value: Number(data[i]) }));
}

function describe(table: Table, size: number, inputs: readonly Input[], labels: number | undefined): string[] {
  const shown = inputs.map(({ name, columns }) => {
    const list = columns.map((i) => table.columns[i]);
    const short = list.length > 12 ? `${list.slice(0, 12).join(', ')}, … (${list.length})` : list.join(', ');
    return `${name} = ${short}`;
  });
  const labelled = labels === undefined ? '' : `; labels from ${table.columns[labels]}`;
  return [`${table.name}: ${size} rows; features ${shown.join('; ')}${labelled}`];
}

function refused(code: ErrorCode, where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
