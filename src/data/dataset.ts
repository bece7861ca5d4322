import { LossgraftError } from '../errors.ts';
import type { Port } from '../runtime/feeds.ts';
import type { DataType, Tensor } from '../tensor.ts';
import { sliceRows } from '../tensorRows.ts';
import type { Preparation } from './tables/preparation.ts';
import type { RawTable } from './tables/raw.ts';

/** Rows along the first axis of one array, read when they are requested. */
export interface Column {
  readonly dtype: DataType;
  /** The first is the number of rows; a scalar has none. */
  readonly dims: readonly number[];
  /** What a black pixel is, by channel, where the rows are images [C, H, W]. */
  readonly black?: readonly number[];
  /** And a white one. */
  readonly white?: readonly number[];
  /** Whether `read` gives arrays that nobody else holds, in buffers of their own: they may be handed on to another thread. */
  readonly isFresh?: boolean;
  /** Whether NaN stands for what is missing, and goes on to the model. */
  readonly mayBeNaN?: boolean;
  /** All rows, where they are in memory anyway. */
  readonly whole?: Tensor;
  /** Where the numbers are bytes behind a scale, as those of images are. */
  readonly bytes?: ByteRows;
  /** Rows `start` to `start + count`. Memory: those rows. */
  read(start: number, count: number): Promise<Tensor>;
}

/** Rows of bytes that a table per channel turns into the numbers of a column. */
export interface ByteRows {
  /** Of 256 numbers, one for each index of the second axis. */
  readonly tables: readonly Float32Array[];
  /** Rows `start` to `start + count`: uint8, of the column's own dims. */
  read(start: number, count: number): Promise<Tensor>;
}

/** What data were opened with. */
export interface DataSource {
  readonly path: string;
  /** Options of `openData`, all plain data. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The cells of a table, which become a model's numbers when that is known. */
export interface TableCells {
  /** The cells as they are, and the options that say what becomes of them. */
  readonly raw: RawTable;
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * The columns of these inputs.
   *
   * @param fitted the preparation that training fitted; without it the width of the inputs decides.
   * @throws LossgraftError for columns that are not there, categories that are not known, and cells that are missing and that nothing
   * fills.
   */
  prepare(
    ports: readonly Port[],
    fitted: Preparation | undefined,
  ): {
    readonly columns: ReadonlyMap<string, Column>;
    readonly unnamed: Column | undefined;
    readonly notes: readonly string[];
  };
  /** The preparation for these inputs, with what is filled in fitted on some rows, and what the user should know of it. */
  fit(
    ports: readonly Port[],
    rows: Uint32Array,
  ): { readonly preparation: Preparation; readonly notes: readonly string[] };
}

/** The name of the column of labels. */
export const LABELS = 'labels';

/** Samples: one column per model input, and labels. Nothing but headers is in memory until rows are read. */
export interface Dataset {
  /** Shown in errors. */
  readonly name: string;
  /** Columns by the name of the model's input, and `labels`. */
  readonly columns: ReadonlyMap<string, Column>;
  /** The array of an .npy file, which has no name: it goes to the model's one input. */
  readonly unnamed: Column | undefined;
  /** What the columns of a table are made of, until a model's inputs are known. */
  readonly table?: TableCells;
  /** Names of the classes by index, where the data have names. */
  readonly classNames?: readonly string[];
  /**
   * How labels got their indices: `names`, in sorted order; whole `numbers` of a table or of folders, which are indices as they are; by the
   * `columns` of a table, one per label; or by an `option`, the names in the order of the model's classes. Undefined: the data came with indices.
   */
  readonly labelsFrom?: 'names' | 'numbers' | 'option' | 'columns';
  /** Where labels came as probabilities of all classes, [N, C]; those in `columns` are the most probable classes. */
  readonly softLabels?: Column;
  /** Where each of the `classNames` stands first, for messages. */
  readonly classPlaces?: readonly string[];
  /** How `openData` was called for them: what a record of a run says. */
  readonly source?: DataSource;
  /** Files outside `source.path` that a table names, such as images. */
  readonly further?: readonly string[];
  /** How the data were read: what was chosen, found and converted. */
  readonly notes?: readonly string[];
  /** What a row is to the user: a file, a line. */
  describeRow?(row: number): string;
  /** What a row holds, for people: the text. */
  showRow?(row: number): string | Promise<string>;
  /** The cells of a table's row that are features, in the order of its columns. */
  cellsOf?(row: number): readonly ShownCell[];
  close(): void;
}

/** A cell of a table, for people. */
export interface ShownCell {
  readonly column: string;
  readonly value: number | string;
}

/** Samples that are already in memory; `tensors` by the name of the model's input, and `labels`. */
export function fromTensors(tensors: Readonly<Record<string, Tensor>>, name = 'tensors'): OpenedData {
  const columns = new Map(Object.entries(tensors).map(([key, tensor]) => [key, tensorColumn(tensor)]));
  return disposable({ name, columns, unnamed: undefined, close() {} });
}

/** Data that `using` closes. */
export type OpenedData = Dataset & Disposable;

/** Data that `using` closes. Once closed they refuse to give rows, with `data-closed`. */
export function disposable(data: Dataset): OpenedData {
  let isClosed = false;
  const whileOpen = <T>(give: () => T): T => {
    if (isClosed) throw closed(data.name);
    return give();
  };
  const close = (): void => {
    isClosed = true;
    data.close();
  };
  const { unnamed, table, showRow, cellsOf } = data;
  return {
    ...data,
    columns: guardedColumns(data.columns, whileOpen),
    unnamed: unnamed && guardedColumn(unnamed, whileOpen),
    ...(table ? { table: guardedCells(table, whileOpen) } : {}),
    ...(showRow ? { showRow: (row) => whileOpen(() => showRow(row)) } : {}),
    ...(cellsOf ? { cellsOf: (row) => whileOpen(() => cellsOf(row)) } : {}),
    close,
    [Symbol.dispose]: close,
  };
}

type WhileOpen = <T>(give: () => T) => T;

function guardedColumns(columns: ReadonlyMap<string, Column>, whileOpen: WhileOpen): ReadonlyMap<string, Column> {
  return new Map([...columns].map(([name, column]) => [name, guardedColumn(column, whileOpen)]));
}

function guardedColumn({ whole, bytes, ...column }: Column, whileOpen: WhileOpen): Column {
  const read: Column['read'] = async (start, count) => whileOpen(() => column.read(start, count));
  const guarded = bytes && {
    tables: bytes.tables,
    read: async (start: number, count: number) => whileOpen(() => bytes.read(start, count)),
  };
  const own = { ...column, ...(guarded ? { bytes: guarded } : {}), read };
  if (!whole) return own;
  return {
    ...own,
    get whole() {
      return whileOpen(() => whole);
    },
  };
}

function guardedCells(table: TableCells, whileOpen: WhileOpen): TableCells {
  const { raw, options } = table;
  return {
    raw: { ...raw, read: (start, count) => whileOpen(() => raw.read(start, count)) },
    options,
    prepare: (ports, fitted) => {
      const { columns, unnamed, notes } = whileOpen(() => table.prepare(ports, fitted));
      return {
        columns: guardedColumns(columns, whileOpen),
        unnamed: unnamed && guardedColumn(unnamed, whileOpen),
        notes,
      };
    },
    fit: (ports, rows) => whileOpen(() => table.fit(ports, rows)),
  };
}

function closed(name: string): LossgraftError {
  return new LossgraftError({
    code: 'data-closed',
    where: name,
    expected: 'data that are open',
    found: 'data that were closed',
    hint: 'Close them after the last use, or open them again',
  });
}

/** A column over a tensor in memory. */
export function tensorColumn(whole: Tensor): Column {
  const { dtype, dims } = whole;
  const read = async (start: number, count: number): Promise<Tensor> => {
    if (dims.length === 0) return whole;
    checkRows(dims, start, count, 'tensor');
    return sliceRows(whole, start, count);
  };
  return { dtype, dims, whole, read };
}

/** @throws LossgraftError `rows-out-of-range` */
export function checkRows(dims: readonly number[], start: number, count: number, name: string): void {
  const rows = dims[0] ?? 1;
  if (start >= 0 && count >= 0 && start + count <= rows) return;
  throw new LossgraftError({
    code: 'rows-out-of-range',
    where: name,
    expected: `rows among 0…${rows - 1}`,
    found: `${count} rows from ${start} on`,
    hint: 'Read within the array',
  });
}
