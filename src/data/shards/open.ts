import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { checkOptions } from '../../options/check.ts';
import { elementCount, isText } from '../../tensor.ts';
import { type ByteRows, type Column, type Dataset, LABELS, type ShownCell } from '../dataset.ts';
import { scaleBytes } from '../normalize.ts';
import { decodeElements } from '../numpy/npy.ts';
import { HEADER_WINDOW, parseNpyHeader } from '../numpy/npyHeader.ts';
import { type DataOptions, type TableOptions, tableRows } from '../options.ts';
import { featuresOf } from '../tables/featureTable.ts';
import type { RawTable } from '../tables/raw.ts';
import type { HashedFile, ShardedColumn, ShardedTable, ShardIndex } from './format.ts';
import { badShard, readIndex } from './readIndex.ts';
import { openRows, type ShardRows } from './rows.ts';
import { type FolderFiles, folderFiles } from './verified.ts';

/**
 * Opens a folder that `shard` wrote. It gives the rows, labels and names that the data it was made from give. Files are read when rows are
 * requested, and each is compared with its hash before its first row is used.
 *
 * @throws LossgraftError `bad-shards`; `shard-changed` for a file that is missing or of another size, and later for one of other contents.
 */
export async function openShards(path: string, { unlabelled, classes }: DataOptions): Promise<Dataset> {
  const index = readIndex(path);
  if (classes !== undefined && !unlabelled) refuseClasses(index, classes, path);
  const files = folderFiles(path);
  try {
    const opened = index.columns.map((column) => {
      const rows = openRows(column, index, files, `${path}, ${column.name ?? column.role}`);
      return { ...column, rows, column: columnOver(column, rows, index, path, files) };
    });
    const of = (role: ShardedColumn['role']) => opened.filter((column) => column.role === role);
    const inputs = of('input');
    const labels = unlabelled ? [] : of('labels').map(({ column }) => [LABELS, column] as const);
    const soft = unlabelled ? undefined : of('soft-labels')[0]?.column;
    const named = inputs.flatMap(({ name, column }) => (name === null ? [] : [[name, column] as const]));
    const [source] = of('source');
    const [shown] = of('shown');
    const [cells] = of('table');
    return {
      name: path,
      columns: new Map([...named, ...labels]),
      unnamed: inputs.find(({ isUnnamed }) => isUnnamed)?.column,
      ...(unlabelled ? {} : classesOf(index)),
      ...(soft ? { softLabels: soft } : {}),
      ...(source ? { describeRow: (row) => textAt(source.rows, row) } : {}),
      ...(shown ? { showRow: (row) => textAt(shown.rows, row) } : {}),
      ...(index.cells ? { cellsOf: (row) => cellsAt(inputs, index.cells ?? [], row) } : {}),
      ...(index.table && cells ? tableOver(path, index, index.table, cells.rows, files) : {}),
      notes: [describe(path, index)],
      close: () => files.close(),
    };
  } catch (error) {
    files.close();
    throw error;
  }
}

function describe(path: string, { rows, columns, provenance }: ShardIndex): string {
  const shards = columns[0]?.shards.length ?? 0;
  return `${path}: ${rows} rows in ${shards} shard${shards === 1 ? '' : 's'}, made from ${provenance.name}`;
}

function classesOf({ classes }: ShardIndex): Pick<Dataset, 'classNames' | 'classPlaces' | 'labelsFrom'> {
  const { names, from, places } = classes;
  return {
    ...(names === null ? {} : { classNames: names }),
    ...(from === null ? {} : { labelsFrom: from }),
    ...(places === null ? {} : { classPlaces: places }),
  };
}

function columnOver(
  column: ShardedColumn,
  rows: ShardRows,
  index: ShardIndex,
  folder: string,
  files: FolderFiles,
): Column {
  const { dtype, shape, black, white, mayBeNaN } = column;
  const dims = [index.rows, ...shape];
  const bytes = column.stored === 'scaled-bytes' ? bytesOver(column, rows, folder, files) : undefined;
  return {
    dtype,
    dims,
    isFresh: true,
    ...(black ? { black } : {}),
    ...(white ? { white } : {}),
    ...(mayBeNaN ? { mayBeNaN } : {}),
    ...(bytes ? { bytes } : {}),
    read: async (start, count) =>
      bytes ? scaleBytes(await bytes.read(start, count), bytes.tables) : rows.read(start, count),
  };
}

function bytesOver(column: ShardedColumn, rows: ShardRows, folder: string, files: FolderFiles): ByteRows {
  const { scale, shape } = column;
  if (scale === undefined) throw badShard(folder, 'a scale for bytes', 'none');
  return {
    tables: readScale(scale, shape[0] ?? 0, folder, files),
    read: async (start, count) => rows.read(start, count),
  };
}

/** float32 [C, 256] */
function readScale(file: HashedFile, channels: number, folder: string, files: FolderFiles): Float32Array[] {
  const path = join(folder, file.file);
  const bytes = new Uint8Array(file.bytes);
  files.open(file).readInto(bytes, 0);
  const header = parseNpyHeader(bytes.subarray(0, HEADER_WINDOW), bytes.length, path);
  const data = decodeElements(bytes.slice(header.dataOffset), header);
  if (!(data instanceof Float32Array) || data.length !== 256 * channels)
    throw badShard(path, `float32[${channels}, 256]`, `${header.dtype}[${header.dims.join(', ')}]`);
  return Array.from({ length: channels }, (_, c) => data.subarray(256 * c, 256 * (c + 1)));
}

function textAt(rows: ShardRows, row: number): string {
  const { data } = rows.read(row, 1);
  return isText(data) ? (data[0] ?? '') : '';
}

/** The numbers of a row's inputs, with the names of the columns that they come from. */
function cellsAt(inputs: readonly { readonly rows: ShardRows }[], names: readonly string[], row: number): ShownCell[] {
  const numbers = inputs.flatMap(({ rows }) =>
    Array.from<string | number | bigint, number>(rows.read(row, 1).data, Number),
  );
  return names.map((column, i) => ({ column, value: numbers[i] ?? Number.NaN }));
}

function tableOver(
  name: string,
  index: ShardIndex,
  { columns, isChosen, options }: ShardedTable,
  rows: ShardRows,
  files: FolderFiles,
): Pick<Dataset, 'unnamed' | 'table' | 'cellsOf'> {
  checkOptions(tableRows, options);
  const read: RawTable['read'] = (start, count) => {
    const { data } = rows.read(start, count);
    if (data instanceof Float64Array) return data;
    throw new RangeError(`${name}: cells of ${elementCount([count, columns.length])} numbers`);
  };
  return featuresOf(
    { name, size: index.rows, columns, isChosen, read, close: () => files.close() },
    options as TableOptions,
  );
}

/** Labels that were matched with classes before cannot be matched with others. @throws LossgraftError `option-conflict` */
function refuseClasses({ classes: { from, names } }: ShardIndex, asked: readonly string[], where: string): void {
  const isFixed = from === 'numbers' || (from === 'option' && String(names) !== String(asked));
  if (!isFixed) return;
  throw new LossgraftError({
    code: 'option-conflict',
    where: 'option classes',
    expected: from === 'option' ? `the order of the shards: ${names?.join(', ')}` : 'class indices, as the shards have',
    found: asked.join(', '),
    hint: `Omit it, or make the shards of ${where} again with it`,
  });
}
