import type { ColumnChunk, ColumnMetaData, PageHeader, ParquetType, SchemaElement } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { LossgraftError } from '../../errors.ts';
import type { ByteSource } from '../../files/bytes.ts';
import { MAX_CHUNK_BYTES, MAX_PAGE_BYTES, MAX_PAGE_VALUES } from '../limits.ts';
import { codecs } from './codecs.ts';
import { checkPageValues } from './encoding.ts';
import { checkThrift } from './thrift.ts';

/** Page headers are some dozens of bytes; statistics of long texts make them longer. */
const HEADER_WINDOW = 64 * 1024;

interface Chunk {
  readonly where: string;
  readonly file: ByteSource;
  readonly meta: ColumnMetaData;
  /** Values may be missing. */
  readonly isOptional: boolean;
  readonly end: number;
}

/**
 * Walks the pages of a column before they are decoded: sizes and runs say what decoding will take, and the values must be as many as
 * the row group has rows. The decoder itself trusts them: a run that claims 2³⁰ values would fill the memory.
 *
 * @param rows of the row group.
 * @throws LossgraftError `bad-parquet`, `parquet-too-large`; RangeError where bytes are missing.
 */
export function checkColumn(
  where: string,
  file: ByteSource,
  rows: number,
  { meta_data: meta }: ColumnChunk,
  element: SchemaElement,
): void {
  if (meta === undefined) throw bad(where, 'its pages', 'none');
  // As the decoder does: a dictionary comes first.
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  if (!(start >= 4 && start <= Number(meta.data_page_offset) && end >= start && end <= file.size))
    throw bad(where, 'pages within the file', `bytes ${start} to ${end}`);
  if (end - start > MAX_CHUNK_BYTES) throw tooLarge(where, MAX_CHUNK_BYTES, `${end - start} bytes in one row group`);
  const chunk: Chunk = { where, file, meta, isOptional: element.repetition_type !== 'REQUIRED', end };
  let values = 0;
  for (let at = start; at < end; ) {
    const page = readPage(chunk, at);
    values += page.values;
    at = page.next;
  }
  if (values !== rows) throw bad(where, `${rows} values`, `${values}`);
}

function readPage(chunk: Chunk, at: number): { values: number; next: number } {
  const { where, file, end } = chunk;
  const window = Uint8Array.from(file.read(at, Math.min(HEADER_WINDOW, end - at)));
  const bodyStart = at + checkThrift(window);
  const header = parquetHeader({ view: new DataView(window.buffer), offset: 0 });
  const { compressed_page_size: packed, uncompressed_page_size: size } = header;
  if (!(packed >= 0 && bodyStart + packed <= end))
    throw bad(where, 'pages within their column', `one of ${packed} bytes`);
  if (!(size >= 0)) throw bad(where, 'pages of a size', `one of ${size} bytes`);
  if (size > MAX_PAGE_BYTES) throw tooLarge(where, MAX_PAGE_BYTES, `a page of ${size} bytes`);
  const values = checkCounts(where, header, chunk.meta.type);
  const body = Uint8Array.from(file.read(bodyStart, packed));
  if (header.type !== 'DICTIONARY_PAGE')
    checkPageValues(where, inflate(chunk, header, body), header, {
      isOptional: chunk.isOptional,
      type: chunk.meta.type,
    });
  return { values, next: bodyStart + packed };
}

/** Of a plain value at least. */
const BYTES: Readonly<Partial<Record<ParquetType, number>>> = {
  INT32: 4,
  INT64: 8,
  INT96: 12,
  FLOAT: 4,
  DOUBLE: 8,
  BYTE_ARRAY: 4,
  FIXED_LEN_BYTE_ARRAY: 1,
};

/** The values of a data page; a dictionary has none of its own. */
function checkCounts(where: string, header: PageHeader, valueType: ParquetType): number {
  const { type, uncompressed_page_size: size } = header;
  if (type === 'DICTIONARY_PAGE') {
    const entries = header.dictionary_page_header?.num_values ?? -1;
    if (!(entries >= 0 && entries * (BYTES[valueType] ?? 1 / 8) <= size))
      throw bad(where, `a dictionary in ${size} bytes`, `${entries} entries`);
    if (entries > MAX_PAGE_VALUES) throw tooLarge(where, MAX_PAGE_VALUES, `a dictionary of ${entries} entries`);
    return 0;
  }
  const data = type === 'DATA_PAGE' ? header.data_page_header : header.data_page_header_v2;
  if (data === undefined || (type !== 'DATA_PAGE' && type !== 'DATA_PAGE_V2'))
    throw bad(where, 'pages of data', `${type}`);
  if (!(data.num_values >= 0)) throw bad(where, 'pages with values', `${data.num_values}`);
  if (data.num_values > MAX_PAGE_VALUES) throw tooLarge(where, MAX_PAGE_VALUES, `a page of ${data.num_values} values`);
  return data.num_values;
}

/** A page's bytes as the decoder will see them: in version 2 the levels lie before what is compressed. */
function inflate({ where, meta: { codec } }: Chunk, header: PageHeader, body: Uint8Array): Uint8Array {
  const v2 = header.data_page_header_v2;
  const levels = v2 === undefined ? 0 : v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
  const size = header.uncompressed_page_size - levels;
  if (!(levels >= 0 && levels <= body.length && size >= 0))
    throw bad(where, 'levels within their page', `${levels} bytes`);
  const packed = body.subarray(levels);
  const plain = codec === 'UNCOMPRESSED' || v2?.is_compressed === false ? packed : codecs[codec]?.(packed, size);
  if (plain === undefined) throw bad(where, `a compression among ${Object.keys(codecs).join(', ')}`, codec);
  if (plain.length !== size) throw bad(where, `a page of ${size} bytes, as its header declares`, `${plain.length}`);
  const page = new Uint8Array(levels + size);
  page.set(body.subarray(0, levels));
  page.set(plain, levels);
  return page;
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

function tooLarge(where: string, bound: number, found: string): LossgraftError {
  return new LossgraftError({
    code: 'parquet-too-large',
    where,
    expected: `at most ${bound}`,
    found,
    hint: 'Write it with smaller row groups and pages, such as row_group_size=100_000',
  });
}
