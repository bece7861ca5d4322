import {
  type ColumnChunk,
  type DecodedArray,
  type FileMetaData,
  parquetMetadata,
  parquetRead,
  type RowGroup,
  type SchemaElement,
} from 'hyparquet';
import { LossgraftError, option } from '../../errors.ts';
import type { ByteSource } from '../../files/bytes.ts';
import { openFile } from '../../files/source.ts';
import { CELLS_AT_ONCE, MAX_FOOTER_BYTES } from '../limits.ts';
import type { Cell, Table, TableRow } from '../tables/table.ts';
import { Pages } from './pages.ts';
import { checkThrift } from './thrift.ts';

/**
 * Opens a Parquet file. Rows are decoded some thousands at a time.
 *
 * @throws LossgraftError `bad-parquet` if it is damaged or its sizes are wrong, `parquet-column` for columns of lists, structures and
 * dates.
 */
export async function openParquet(path: string): Promise<Table> {
  const file = openFile(path);
  try {
    const metadata = readFooter(path, file);
    const elements = metadata.schema.slice(1);
    const isFlat =
      elements.length === metadata.schema[0]?.num_children &&
      elements.every(({ num_children, repetition_type }) => !num_children && repetition_type !== 'REPEATED');
    if (!isFlat)
      throw bad(
        path,
        'columns of single values',
        'columns with lists or structs',
        'Write each value into its own column',
      );
    const names = new Set<string>();
    for (const { name } of elements) {
      if (names.has(name)) throw bad(path, 'columns with unique names', `two called ${name}`, 'Rename one');
      names.add(name);
    }
    return {
      name: path,
      columns: elements.map(({ name }) => name),
      rows: (wanted) =>
        readRows(
          path,
          file,
          metadata,
          wanted.flatMap((i) => elements[i] ?? []),
        ),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw explain(path, error);
  }
}

const MAGIC = 'PAR1';

function readFooter(path: string, file: ByteSource): FileMetaData {
  const tail = file.size < 12 ? new Uint8Array(8) : Uint8Array.from(file.read(file.size - 8, 8));
  const length = new DataView(tail.buffer).getUint32(0, true);
  if (new TextDecoder('latin1').decode(tail.subarray(4)) !== MAGIC)
    throw bad(path, `a file that ends in ${MAGIC}`, 'other bytes');
  if (length > file.size - 12 || length > MAX_FOOTER_BYTES) {
    throw bad(path, `a footer of at most ${Math.min(MAX_FOOTER_BYTES, file.size - 12)} bytes`, `${length}`);
  }
  const footer = Uint8Array.from(file.read(file.size - 8 - length, length + 8));
  const end = checkThrift(footer.subarray(0, length));
  if (end !== length) throw bad(path, `a footer of ${length} bytes`, `one of ${end}`);
  const metadata = parquetMetadata(footer, { geoparquet: false });
  const rows = metadata.row_groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (rows === metadata.num_rows) return metadata;
  throw bad(path, `${metadata.num_rows} rows, as the footer says`, `${rows} in its row groups`);
}

async function* readRows(
  path: string,
  file: ByteSource,
  metadata: FileMetaData,
  columns: readonly SchemaElement[],
): AsyncGenerator<TableRow> {
  const place = (column: number): string => `${path}, column ${columns[column]?.name}`;
  try {
    for (const [index, group] of metadata.row_groups.entries()) {
      const count = Number(group.num_rows);
      // Some writers give it no pages, others a page without values.
      if (count === 0) continue;
      const pages = new Pages(file);
      const chunks = chunksByName(`${path}, row group ${index}`, group);
      const parts = columns.map((element) => {
        const chunk = chunks.get(element.name);
        const where = `${path}, row group ${index}, column ${element.name}`;
        if (chunk === undefined) throw bad(where, 'its pages', 'none');
        pages.add(where, count, chunk, element);
        return partOf(metadata, group, chunk, element);
      });
      const step = Math.max(1, Math.floor(CELLS_AT_ONCE / columns.length));
      for (let start = 0; start < count; start += step) {
        const size = Math.min(step, count - start);
        const cells: DecodedArray[] = [];
        for (const part of parts) cells.push(await readColumn(pages, part, start, size));
        for (let i = 0; i < size; i++)
          yield { cells: cells.map((column, k) => toCell(column[i], () => place(k))), line: undefined };
      }
    }
  } catch (error) {
    throw explain(path, error);
  }
}

function chunksByName(where: string, { columns }: RowGroup): Map<string, ColumnChunk> {
  const chunks = new Map<string, ColumnChunk>();
  for (const chunk of columns) {
    const [name = '', ...rest] = chunk.meta_data?.path_in_schema ?? [];
    if (rest.length > 0 || chunks.has(name)) throw bad(where, 'each column once', `${[name, ...rest].join('.')} again`);
    chunks.set(name, chunk);
  }
  return chunks;
}

/** The decoder sees only one column of one row group: what was checked, and nothing to search through. */
function partOf(metadata: FileMetaData, group: RowGroup, chunk: ColumnChunk, element: SchemaElement): FileMetaData {
  const root: SchemaElement = { name: 'root', num_children: 1 };
  const { num_rows } = group;
  return { ...metadata, schema: [root, element], num_rows, row_groups: [{ ...group, columns: [chunk] }] };
}

async function readColumn(
  { file, compressors }: Pages,
  metadata: FileMetaData,
  start: number,
  count: number,
): Promise<DecodedArray> {
  const cells = new Array<unknown>(count);
  let found = 0;
  await parquetRead({
    file,
    metadata,
    compressors,
    rowStart: start,
    rowEnd: start + count,
    onChunk: ({ columnData, rowStart }) => {
      for (let i = Math.max(0, start - rowStart); i < columnData.length && rowStart + i < start + count; i++) {
        cells[rowStart + i - start] = columnData[i];
        found++;
      }
    },
  });
  if (found === count) return cells;
  throw new RangeError(`${found} of ${count} values of column ${metadata.schema[1]?.name}, from row ${start} on`);
}

function toCell(value: unknown, where: () => string): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return value;
  throw new LossgraftError({
    code: 'parquet-column',
    where: where(),
    expected: 'numbers, booleans or texts',
    found: value instanceof Date ? 'dates' : typeof value,
    hint: `Choose the columns with ${option('featureColumns')}, or convert it`,
  });
}

function explain(path: string, cause: unknown): LossgraftError {
  if (cause instanceof LossgraftError) return cause;
  return bad(path, 'a whole Parquet file', cause instanceof Error ? cause.message : String(cause));
}

function bad(
  where: string,
  expected: string,
  found: string,
  hint = 'The file is damaged; write it again',
): LossgraftError {
  return new LossgraftError({ code: 'bad-parquet', where, expected, found, hint });
}
