import { LossgraftError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { joinData } from '../tensorRows.ts';
import { type Column, type Dataset, disposable, type OpenedData, type TableCells } from './dataset.ts';
import type { RawTable } from './tables/raw.ts';

/**
 * The same data with `rows` as their rows, in that order, repeats allowed: a shuffle, a split, a long tail. Nothing is copied; rows are
 * read from `data` when they are requested. Closing it closes `data`.
 *
 * @throws LossgraftError `rows-out-of-range`
 */
export function selectRows(data: Dataset, rows: Uint32Array): OpenedData {
  const { describeRow, table, softLabels } = data;
  return disposable({
    ...data,
    ...selectColumns(data, data, rows),
    ...(softLabels === undefined ? {} : { softLabels: selectColumn(softLabels, rows, `${data.name}, labels`) }),
    ...(table === undefined ? {} : { table: selectCells(data, table, rows) }),
    ...(describeRow === undefined ? {} : { describeRow: (row: number) => describeRow(rows[row] ?? 0) }),
    close: () => data.close(),
  });
}

function selectColumns(
  { name }: Dataset,
  { columns, unnamed }: Pick<Dataset, 'columns' | 'unnamed'>,
  rows: Uint32Array,
): Pick<Dataset, 'columns' | 'unnamed'> {
  return {
    columns: new Map([...columns].map(([key, column]) => [key, selectColumn(column, rows, `${name}, ${key}`)])),
    unnamed: unnamed && selectColumn(unnamed, rows, name),
  };
}

function selectCells(data: Dataset, table: TableCells, rows: Uint32Array): TableCells {
  const { raw, options } = table;
  return {
    raw: { ...raw, size: rows.length, read: (start, count) => readCells(raw, rows.subarray(start, start + count)) },
    options,
    prepare: (ports, fitted) => {
      const prepared = table.prepare(ports, fitted);
      return { ...prepared, ...selectColumns(data, prepared, rows) };
    },
    fit: (ports, own) =>
      table.fit(
        ports,
        own.map((row) => rows[row] ?? 0),
      ),
  };
}

function readCells(raw: RawTable, rows: Uint32Array): Float64Array {
  const width = raw.columns.length;
  const cells = new Float64Array(rows.length * width);
  for (const [i, row] of rows.entries()) cells.set(raw.read(row, 1), i * width);
  return cells;
}

function selectColumn(column: Column, rows: Uint32Array, where: string): Column {
  const size = column.dims[0] ?? 0;
  const bad = rows.find((row) => row >= size);
  if (bad !== undefined) throw outside(where, size, `row ${bad}`);
  const dims = [rows.length, ...column.dims.slice(1)];
  const from = (source: Readable) => async (start: number, count: number) => {
    const wanted = rows.subarray(start, start + count);
    if (start < 0 || count < 0 || wanted.length !== count)
      throw outside(where, rows.length, `${start} to ${start + count}`);
    return readRows(source, wanted);
  };
  // `whole` would have all rows.
  const { whole: _, bytes, ...own } = column;
  const selected = bytes && { ...bytes, read: from({ dtype: 'uint8', dims: column.dims, read: bytes.read }) };
  return { ...own, ...(selected ? { bytes: selected } : {}), dims, read: from(column) };
}

type Readable = Pick<Column, 'dtype' | 'dims' | 'read'>;

/** Rows of a column in the given order; consecutive rows are read together. */
export async function readRows(column: Readable, rows: Uint32Array): Promise<Tensor> {
  const runs = runsOf(rows);
  const [only] = runs;
  if (only !== undefined && runs.length === 1) return column.read(only.start, only.count);
  const parts = await Promise.all(runs.map(({ start, count }) => column.read(start, count)));
  const dims = [rows.length, ...(parts[0]?.dims ?? column.dims).slice(1)];
  return { dtype: column.dtype, dims, data: joinData(parts.map(({ data }) => data)) };
}

interface Run {
  readonly start: number;
  readonly count: number;
}

function runsOf(rows: Uint32Array): Run[] {
  const runs: { start: number; count: number }[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.count === row) last.count++;
    else runs.push({ start: row, count: 1 });
  }
  return runs;
}

function outside(where: string, size: number, found: string): LossgraftError {
  return new LossgraftError({
    code: 'rows-out-of-range',
    where,
    expected: `rows among 0…${size - 1}`,
    found,
    hint: 'Select within the data',
  });
}
