import type { RowGroup } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../onnx/index.ts';
import { MAX_CHUNK_BYTES, MAX_PAGE_BYTES } from './limits.ts';
import { checkThrift } from './thrift.ts';

/** Page headers are some dozens of bytes; statistics of long texts make them longer. */
const HEADER_WINDOW = 64 * 1024;

/**
 * Reads the headers of a column's pages, and nothing else: their sizes say what decoding will take, and their values must be the row
 * group's.
 *
 * @throws LossgraftError `bad-parquet`, `parquet-too-large`; RangeError where a header is not whole.
 */
export function checkColumn(where: string, file: ByteSource, group: RowGroup, name: string): void {
  const meta = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
  if (meta === undefined) throw bad(where, 'its pages', 'none');
  const dictionary = Number(meta.dictionary_page_offset ?? 0n);
  const data = Number(meta.data_page_offset);
  const start = dictionary > 0 ? Math.min(dictionary, data) : data;
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 4 && end >= start && end <= file.size))
    throw bad(where, 'pages within the file', `bytes ${start} to ${end}`);
  if (end - start > MAX_CHUNK_BYTES) throw tooLarge(where, `${end - start} bytes in one row group`, MAX_CHUNK_BYTES);
  const values = walkPages(where, file, start, end);
  if (values !== Number(group.num_rows)) throw bad(where, `${group.num_rows} values`, `${values}`);
}

function walkPages(where: string, file: ByteSource, start: number, end: number): number {
  let values = 0;
  for (let at = start; at < end; ) {
    const window = Uint8Array.from(file.read(at, Math.min(HEADER_WINDOW, end - at)));
    const headerBytes = checkThrift(window);
    const page = parquetHeader({ view: new DataView(window.buffer), offset: 0 });
    const { compressed_page_size: packed, uncompressed_page_size: size } = page;
    if (!(packed >= 0 && at + headerBytes + packed <= end))
      throw bad(where, 'pages within their column', `one of ${packed} bytes`);
    if (!(size >= 0 && size <= MAX_PAGE_BYTES)) throw tooLarge(where, `a page of ${size} bytes`, MAX_PAGE_BYTES);
    const counts = [page.data_page_header?.num_values, page.data_page_header_v2?.num_values];
    const entries = page.dictionary_page_header?.num_values ?? 0;
    if (!(entries >= 0 && entries <= 8 * size)) throw bad(where, `a dictionary in ${size} bytes`, `${entries} entries`);
    for (const count of counts) {
      if (count !== undefined && !(count >= 0)) throw bad(where, 'pages with values', `${count}`);
      values += count ?? 0;
    }
    at += headerBytes + packed;
  }
  return values;
}

function bad(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-parquet',
    where,
    expected,
    found,
    hint: 'The file is damaged; write it again',
  });
}

function tooLarge(where: string, found: string, bound: number): LossgraftError {
  return new LossgraftError({
    code: 'parquet-too-large',
    where,
    expected: `at most ${bound} bytes`,
    found,
    hint: 'Write it with smaller row groups and pages, for example row_group_size=100_000',
  });
}
