import { LossgraftError, option } from '../../errors.ts';
import { nearestNames } from '../../ir/nearestNames.ts';
import type { Port } from '../../runtime/feeds.ts';
import type { DataType, Tensor } from '../../tensor.ts';
import type { Column } from '../dataset.ts';
import { isCategory, type Preparation, type PreparedColumn, widthOf } from './preparation.ts';
import type { RawColumn, RawTable } from './raw.ts';
import { missingColumn } from './rawTable.ts';

/** The columns of a model's inputs, made of a table's cells. */
export interface PreparedTable {
  /** By input name, if each input takes the column of its name. */
  readonly columns: ReadonlyMap<string, Column>;
  /** For a model with one input. */
  readonly unnamed: Column | undefined;
}

/**
 * Turns a table's cells into numbers.
 *
 * @param ports the model's inputs; empty if no model is known.
 * @param mayLack whether a missing cell that nothing fills becomes NaN.
 * @throws LossgraftError `table-columns`, `unknown-category`, and `missing-value` if nothing fills a missing cell.
 */
export function prepareTable(
  raw: RawTable,
  ports: readonly Port[],
  preparation: Preparation,
  mayLack: boolean,
): PreparedTable {
  const readers = preparation.columns.map((column) => readerOf(raw, column, preparation, mayLack));
  const byName = ports.length > 0 && ports.every(({ name }) => readers.some((reader) => reader.name === name));
  const [only] = ports;
  const isNamed = byName && (ports.length > 1 || readers.length === 1);
  if (!isNamed) return { columns: new Map(), unnamed: columnOf(raw, readers, only, mayLack) };
  const columns = ports.map((port) => {
    const own = readers.filter(({ name }) => name === port.name);
    return [port.name, columnOf(raw, own, port, mayLack)] as const;
  });
  return { columns: new Map(columns), unnamed: undefined };
}

/** Makes one column's part of a row. */
interface CellReader {
  readonly name: string;
  readonly index: number;
  readonly width: number;
  /** For a category that a model reads as text. */
  text(cell: number): string;
  /** Writes `width` numbers. */
  write(cell: number, target: { [i: number]: number }, at: number): void;
}

function readerOf(raw: RawTable, column: PreparedColumn, { unknown }: Preparation, mayLack: boolean): CellReader {
  const index = raw.columns.findIndex(({ name }) => name === column.name);
  const own = raw.columns[index];
  if (own === undefined)
    throw missingColumn(
      raw.name,
      column.name,
      raw.columns.map(({ name }) => name),
    );
  if (own.gap !== undefined && column.fill === undefined && !mayLack) throw unfilled(own.gap);
  const width = widthOf(column);
  const { name } = column;
  if (!isCategory(column)) {
    if (own.kind === 'category') throw noNumbers(own);
    const fill = column.fill ?? Number.NaN;
    const write: CellReader['write'] = (cell, target, at) => {
      target[at] = Number.isNaN(cell) ? fill : cell;
    };
    return { name, index, width, write, text: String };
  }
  if (own.kind === 'number') throw noCategories(raw, own);
  if (column.as === 'text') {
    const text = (cell: number): string => (Number.isNaN(cell) ? (column.fill ?? '') : (own.values[cell] ?? ''));
    return { name, index, width, text, write: () => {} };
  }
  const known = new Map(column.categories.map((value, code) => [value, code]));
  const codes = own.values.map((value) => known.get(value) ?? -1);
  const strange = codes.indexOf(-1);
  if (strange >= 0 && unknown === 'error') throw unknownCategory(own, strange, column.categories);
  const filled = column.fill === undefined ? -1 : (known.get(column.fill) ?? -1);
  const codeOf = (cell: number): number => (Number.isNaN(cell) ? filled : (codes[cell] ?? -1));
  const write: CellReader['write'] = (cell, target, at) => {
    const code = codeOf(cell);
    if (column.as === 'ordinal') target[at] = code;
    else if (code >= 0) target[at + code] = 1;
  };
  return { name, index, width, write, text: String };
}

const STORES = {
  float32: (length: number) => new Float32Array(length),
  float64: (length: number) => new Float64Array(length),
  int32: (length: number) => new Int32Array(length),
  bool: (length: number) => new Uint8Array(length),
} as const;

function columnOf(raw: RawTable, readers: readonly CellReader[], port: Port | undefined, mayLack: boolean): Column {
  const dtype = storedAs(port?.dtype);
  const number = dtype === 'string' ? readers.find(({ index }) => raw.columns[index]?.kind === 'number') : undefined;
  if (number) throw noCategories(raw, number);
  const width = readers.reduce((sum, reader) => sum + reader.width, 0);
  const rank = port?.shape?.length === 1 && readers.length === 1 ? 1 : 2;
  const dims = (count: number): number[] => (rank === 1 ? [count] : [count, width]);
  const eachCell = (
    start: number,
    count: number,
    take: (reader: CellReader, cell: number, at: number) => void,
  ): void => {
    if (start < 0 || count < 0 || start + count > raw.size) throw outside(raw, start, count);
    const cells = raw.read(start, count);
    for (let row = 0, at = 0; row < count; row++) {
      for (const reader of readers) {
        take(reader, cells[row * raw.columns.length + reader.index] ?? Number.NaN, at);
        at += reader.width;
      }
    }
  };
  const read = async (start: number, count: number): Promise<Tensor> => {
    if (dtype === 'string') {
      const data: string[] = [];
      eachCell(start, count, (reader, cell) => data.push(reader.text(cell)));
      return { dtype, dims: dims(count), data };
    }
    if (dtype === 'int64') {
      const numbers = new Float64Array(count * width);
      eachCell(start, count, (reader, cell, at) => reader.write(cell, numbers, at));
      return { dtype, dims: dims(count), data: BigInt64Array.from(numbers, (value) => whole(raw, value)) };
    }
    const data = STORES[dtype](count * width);
    eachCell(start, count, (reader, cell, at) => reader.write(cell, data, at));
    return { dtype, dims: dims(count), data };
  };
  return { dtype, dims: dims(raw.size), isFresh: dtype !== 'string', ...(mayLack ? { mayBeNaN: true } : {}), read };
}

function storedAs(dtype: DataType | undefined): keyof typeof STORES | 'string' | 'int64' {
  if (dtype === 'string' || dtype === 'int64') return dtype;
  return dtype === 'float64' || dtype === 'int32' || dtype === 'bool' ? dtype : 'float32';
}

function whole(raw: RawTable, value: number): bigint {
  if (Number.isSafeInteger(value)) return BigInt(value);
  throw new LossgraftError({
    code: 'no-number',
    where: raw.name,
    expected: 'whole numbers, which the model reads',
    found: String(value),
    hint: `Larger ones than 2^53 keep their digits with ${option('featureColumns', 'INPUT:int64=COLUMN')}`,
  });
}

function outside({ name, size }: RawTable, start: number, count: number): LossgraftError {
  return new LossgraftError({
    code: 'rows-out-of-range',
    where: name,
    expected: `rows among 0…${size - 1}`,
    found: `${count} rows from ${start} on`,
    hint: 'Read within the table',
  });
}

function unfilled(where: string): LossgraftError {
  return new LossgraftError({
    code: 'missing-value',
    where,
    expected: 'a value, or a model that records what to fill in',
    found: 'a missing cell',
    hint: `What is filled in is fitted on training rows: train with ${option('missing', 'mean')}, which records it in the model; or leave such rows out with ${option('missing', 'drop')}`,
  });
}

function noNumbers({ name, values, places }: RawColumn): LossgraftError {
  return new LossgraftError({
    code: 'no-number',
    where: places[0] ?? name,
    expected: 'a number, as in the data that the model was trained with',
    found: JSON.stringify(values[0] ?? ''),
    hint: 'Correct it',
  });
}

function noCategories({ name: where }: RawTable, { name }: { readonly name: string }): LossgraftError {
  return new LossgraftError({
    code: 'table-columns',
    where: `${where}, column ${name}`,
    expected: 'categories, which are texts',
    found: 'numbers',
    hint: `Say that they are categories with ${option('categorical', name)}`,
  });
}

function unknownCategory({ values, places }: RawColumn, at: number, known: readonly string[]): LossgraftError {
  const value = values[at] ?? '';
  const near = nearestNames(value, known);
  const shown = `${known.slice(0, 10).join(', ')}${known.length > 10 ? `, … (${known.length})` : ''}`;
  return new LossgraftError({
    code: 'unknown-category',
    where: places[at] ?? '',
    expected: `one of the categories ${shown}`,
    found: JSON.stringify(value.slice(0, 80)),
    hint: `${near.length > 0 ? `Did you mean ${near.map((each) => JSON.stringify(each)).join(' or ')}? ` : ''}Correct it, or take all others for no category with ${option('unknownCategory', 'ignore')}`,
  });
}
