import {
  type AsyncBuffer,
  type DecodedArray,
  type FileMetaData,
  parquetMetadata,
  parquetRead,
  type SchemaElement,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { LossgraftError } from '../errors.ts';
import { type ByteSource, openFile } from '../onnx/index.ts';
import { CELLS_AT_ONCE, MAX_FOOTER_BYTES } from './limits.ts';
import { checkColumn } from './parquetPages.ts';
import type { Cell, Row, Table } from './table.ts';
import { checkThrift } from './thrift.ts';

/**
 * Opens a Parquet file. Rows are decoded some thousands at a time.
 *
 * @throws LossgraftError `bad-parquet` where it is damaged or its sizes are not what they should be, `parquet-column` for columns of
 * lists, structures and dates.
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
        'columns of lists or structures',
        'Write every value into a column of its own',
      );
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
): AsyncGenerator<Row> {
  try {
    let start = 0;
    for (const [index, group] of metadata.row_groups.entries()) {
      const count = Number(group.num_rows);
      for (const element of columns) {
        checkColumn(`${path}, row group ${index}, column ${element.name}`, file, group, element);
      }
      const step = Math.max(1, Math.floor(CELLS_AT_ONCE / columns.length));
      for (let done = 0; done < count; done += step) {
        const size = Math.min(step, count - done);
        const cells: DecodedArray[] = [];
        for (const { name } of columns) cells.push(await readColumn(file, metadata, name, start + done, size));
        for (let i = 0; i < size; i++) yield { cells: cells.map((column) => toCell(column[i])), line: undefined };
      }
      start += count;
    }
  } catch (error) {
    throw explain(path, error);
  }
}

async function readColumn(
  file: ByteSource,
  metadata: FileMetaData,
  name: string,
  start: number,
  count: number,
): Promise<DecodedArray> {
  const cells = new Array<unknown>(count);
  let found = 0;
  await parquetRead({
    file: asyncBuffer(file),
    metadata,
    compressors,
    columns: [name],
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
  throw new RangeError(`${found} of ${count} values of column ${name}, from row ${start} on`);
}

function asyncBuffer(file: ByteSource): AsyncBuffer {
  return {
    byteLength: file.size,
    slice: (start, end = file.size) => Uint8Array.from(file.read(start, end - start)).buffer,
  };
}

function toCell(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return value;
  throw new LossgraftError({
    code: 'parquet-column',
    where: 'a Parquet column',
    expected: 'numbers, booleans or texts',
    found: value instanceof Date ? 'dates' : typeof value,
    hint: 'Choose the columns with --feature-columns, or convert it',
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
