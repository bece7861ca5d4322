import { LossgraftError } from '../../errors.ts';
import { isText, type Tensor } from '../../tensor.ts';
import { type Column, type Dataset, LABELS } from '../dataset.ts';
import { noRows } from '../noRows.ts';
import { npyDescr } from '../numpy/npyHeader.ts';
import type { ColumnRole, ShardedColumn } from './format.ts';

/** A column to be written. */
export interface SourceColumn {
  /** What the index says of it, without its files. */
  readonly about: Omit<ShardedColumn, 'shards' | 'scale'>;
  /** For bytes: float32, 256 numbers for each channel. */
  readonly tables?: readonly Float32Array[];
  /** Rows as they are stored. */
  read(start: number, count: number): Promise<Tensor>;
}

export interface Sources {
  readonly rows: number;
  readonly columns: readonly SourceColumn[];
  /** What was left aside. */
  readonly notes: readonly string[];
}

/**
 * Everything of data that shards hold.
 *
 * @throws LossgraftError `npy-dtype` for numbers that NumPy does not have.
 */
export function sourcesOf(data: Dataset): Sources {
  const { table, softLabels, describeRow, showRow } = data;
  const rows = rowsOf(data);
  if (rows === 0) throw noRows(data.name);
  const inputs = table ? [] : inputsOf(data);
  const all = inputs.filter(({ column }) => column.dims[0] === rows);
  const aside = inputs.flatMap(({ name, column }) => (column.dims[0] === rows ? [] : [name ?? 'array']));
  const labels = data.columns.get(LABELS);
  const columns = [
    ...all.map(({ name, column, isUnnamed }) => numbers(data, column, 'input', name, isUnnamed)),
    ...(table ? [cells(table.raw)] : []),
    ...(labels ? [numbers(data, labels, 'labels', LABELS)] : []),
    ...(softLabels ? [numbers(data, softLabels, 'soft-labels', null)] : []),
    ...(describeRow ? [texts('source', async (row) => describeRow(row))] : []),
    ...(showRow ? [texts('shown', async (row) => showRow(row))] : []),
  ];
  const notes = aside.length === 0 ? [] : [`${data.name}: ${aside.join(', ')} has not ${rows} rows; left aside`];
  return { rows, columns, notes };
}

function rowsOf({ columns, unnamed, table }: Dataset): number {
  const first = columns.get(LABELS) ?? unnamed ?? columns.values().next().value;
  return table?.raw.size ?? first?.dims[0] ?? 0;
}

interface Input {
  readonly name: string | null;
  readonly column: Column;
  readonly isUnnamed?: boolean;
}

/** Texts have an unnamed column that is one of the named ones. */
function inputsOf({ columns, unnamed, showRow }: Dataset): Input[] {
  const named = [...columns].filter(([name]) => name !== LABELS);
  const own = named.map(([name, column], i) => ({ name, column, isUnnamed: showRow !== undefined && i === 0 }));
  if (unnamed === undefined || showRow !== undefined) return own;
  return [...own, { name: null, column: unnamed, isUnnamed: true }];
}

function numbers(
  { name: where }: Dataset,
  column: Column,
  role: ColumnRole,
  name: string | null,
  isUnnamed = false,
): SourceColumn {
  const { dtype, dims, black, white, mayBeNaN, bytes } = column;
  if (dtype !== 'string' && npyDescr(dtype) === undefined) throw noNumPy(`${where}, ${name ?? role}`, dtype);
  const about = {
    role,
    name,
    ...(isUnnamed ? { isUnnamed: true as const } : {}),
    dtype,
    shape: dims.slice(1),
    stored: dtype === 'string' ? ('utf-8' as const) : bytes ? ('scaled-bytes' as const) : ('as-is' as const),
    ...(black ? { black } : {}),
    ...(white ? { white } : {}),
    ...(mayBeNaN ? { mayBeNaN: true as const } : {}),
  };
  return { about, ...(bytes ? { tables: bytes.tables } : {}), read: (bytes ?? column).read };
}

function cells(raw: NonNullable<Dataset['table']>['raw']): SourceColumn {
  const width = raw.columns.length;
  return {
    about: { role: 'table', name: null, dtype: 'float64', shape: [width], stored: 'as-is' },
    read: async (start, count) => ({ dtype: 'float64', dims: [count, width], data: raw.read(start, count) }),
  };
}

function texts(role: 'source' | 'shown', of: (row: number) => Promise<string>): SourceColumn {
  return {
    about: { role, name: null, dtype: 'string', shape: [], stored: 'utf-8' },
    read: async (start, count) => {
      const data = await Promise.all(Array.from({ length: count }, (_, i) => of(start + i)));
      return { dtype: 'string', dims: [count], data };
    },
  };
}

/** Bytes of a row as they are stored; of texts, a guess. */
export function rowBytes({ about: { dtype, shape, stored } }: SourceColumn, first: Tensor): number {
  const { data } = first;
  if (isText(data)) return data.reduce((sum, text) => sum + 8 + text.length, 0);
  return Math.max(
    1,
    stored === 'scaled-bytes' || dtype === 'bool' || shape.includes(0) ? data.length : data.byteLength,
  );
}

function noNumPy(where: string, dtype: string): LossgraftError {
  return new LossgraftError({
    code: 'npy-dtype',
    where,
    expected: 'numbers of a type that NumPy has',
    found: dtype,
    hint: 'Convert them first, for example to float32',
  });
}
