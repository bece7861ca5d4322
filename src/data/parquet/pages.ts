import type {
  AsyncBuffer,
  ColumnChunk,
  ColumnMetaData,
  CompressionCodec,
  Compressors,
  PageHeader,
  ParquetType,
  SchemaElement,
} from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { LossgraftError } from '../../errors.ts';
import type { ByteSource } from '../../files/bytes.ts';
import { INFLATED_PAGES_BYTES, MAX_CHUNK_BYTES, MAX_PAGE_BYTES, MAX_PAGE_VALUES } from '../limits.ts';
import { codecNames, codecs } from './codecs.ts';
import { checkPageValues } from './encoding.ts';
import { checkThrift } from './thrift.ts';

/** Page headers take some dozens of bytes; statistics of long texts make them longer. */
const HEADER_WINDOW = 64 * 1024;

interface Chunk {
  readonly where: string;
  readonly meta: ColumnMetaData;
  /** Values may be missing. */
  readonly isOptional: boolean;
  readonly end: number;
}

/** A compressed page that is inflated when the decoder asks for it. */
interface Packed {
  readonly header: PageHeader;
  readonly chunk: Chunk;
  /** Bytes of levels before the compressed ones: in version 2 they are not compressed. */
  readonly levels: number;
}

/**
 * The pages of one row group. Their headers are walked before anything is decoded, and each page is checked before the decoder sees
 * it: the decoder itself trusts them, and a run that claims 2³⁰ values would fill the memory. A page is inflated once.
 */
export class Pages {
  /** What the decoder reads the file by. */
  readonly file: AsyncBuffer;
  /** What the decoder inflates pages by. */
  readonly compressors: Compressors;
  readonly #source: ByteSource;
  /** By where their compressed bytes begin in the file. */
  readonly #packed = new Map<number, Packed>();
  readonly #inflated = new Map<number, Uint8Array>();
  #inflatedBytes = 0;

  constructor(source: ByteSource) {
    this.#source = source;
    const starts = new WeakMap<ArrayBufferLike, number>();
    const slice = (start: number, end = source.size): ArrayBuffer => {
      const { buffer } = Uint8Array.from(source.read(start, end - start));
      starts.set(buffer, start);
      return buffer;
    };
    this.file = { byteLength: source.size, slice };
    const inflate = (name: CompressionCodec) => (input: Uint8Array, size: number) =>
      this.#inflate(name, input, size, (starts.get(input.buffer) ?? Number.NaN) + input.byteOffset);
    this.compressors = Object.fromEntries(codecNames.map((name) => [name, inflate(name)]));
  }

  /**
   * Walks the pages of a column. Their sizes say what decoding will take, and their values must be as many as the row group has rows.
   *
   * @param rows of the row group.
   * @throws LossgraftError `bad-parquet`, `parquet-too-large`; RangeError where bytes are missing.
   */
  add(where: string, rows: number, { meta_data: meta }: ColumnChunk, element: SchemaElement): void {
    if (meta === undefined) throw bad(where, 'its pages', 'none');
    // As the decoder does: a dictionary comes first.
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const end = start + Number(meta.total_compressed_size);
    if (!(start >= 4 && start <= Number(meta.data_page_offset) && end >= start && end <= this.#source.size))
      throw bad(where, 'pages within the file', `bytes ${start} to ${end}`);
    if (end - start > MAX_CHUNK_BYTES) throw tooLarge(where, MAX_CHUNK_BYTES, `${end - start} bytes in one row group`);
    if (meta.codec !== 'UNCOMPRESSED' && !codecNames.includes(meta.codec))
      throw bad(where, `a compression among ${codecNames.join(', ')}`, meta.codec);
    const chunk: Chunk = { where, meta, isOptional: element.repetition_type !== 'REQUIRED', end };
    let values = 0;
    for (let at = start; at < end; ) {
      const page = this.#walkPage(chunk, at);
      values += page.values;
      at = page.next;
    }
    if (values !== rows) throw bad(where, `${rows} values`, `${values}`);
  }

  #walkPage(chunk: Chunk, at: number): { values: number; next: number } {
    const { where, meta, end } = chunk;
    const window = Uint8Array.from(this.#source.read(at, Math.min(HEADER_WINDOW, end - at)));
    const bodyStart = at + checkThrift(window);
    const header = parquetHeader({ view: new DataView(window.buffer), offset: 0 });
    const { compressed_page_size: packed, uncompressed_page_size: size } = header;
    if (!(packed >= 0 && bodyStart + packed <= end))
      throw bad(where, 'pages within their column', `one of ${packed} bytes`);
    if (!(size >= 0)) throw bad(where, 'pages of a size', `one of ${size} bytes`);
    if (size > MAX_PAGE_BYTES) throw tooLarge(where, MAX_PAGE_BYTES, `a page of ${size} bytes`);
    const values = checkCounts(where, header, meta.type);
    const v2 = header.data_page_header_v2;
    const levels = v2 === undefined ? 0 : v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
    if (!(levels >= 0 && levels <= packed && levels <= size))
      throw bad(where, 'levels within their page', `${levels} bytes`);
    const page: Packed = { header, chunk, levels };
    // The decoder takes these bytes as they are: nothing comes back through `compressors`.
    if (meta.codec === 'UNCOMPRESSED' || v2?.is_compressed === false)
      checkPage(page, Uint8Array.from(this.#source.read(bodyStart, packed)));
    else this.#packed.set(bodyStart + levels, page);
    return { values, next: bodyStart + packed };
  }

  /** @param at where `input` begins in the file. */
  #inflate(codec: CompressionCodec, input: Uint8Array, size: number, at: number): Uint8Array {
    const known = this.#inflated.get(at);
    if (known) return known;
    const page = this.#packed.get(at);
    const plain = codecs[codec]?.(input, size);
    if (!page || !plain) throw new RangeError(`a page at byte ${at} that its column does not list`);
    const levels = new Uint8Array(input.buffer, input.byteOffset - page.levels, page.levels);
    checkPage(page, page.levels === 0 ? plain : Buffer.concat([levels, plain]));
    this.#keep(at, plain);
    return plain;
  }

  /** Rows are decoded in steps, and a page may serve several: a dictionary all. */
  #keep(at: number, plain: Uint8Array): void {
    this.#inflated.set(at, plain);
    this.#inflatedBytes += plain.length;
    for (const [oldest, { length }] of this.#inflated) {
      if (this.#inflatedBytes <= INFLATED_PAGES_BYTES) return;
      this.#inflated.delete(oldest);
      this.#inflatedBytes -= length;
    }
  }
}

/** @param bytes of a page, inflated. */
function checkPage({ header, chunk: { where, isOptional, meta } }: Packed, bytes: Uint8Array): void {
  const { type, uncompressed_page_size: size } = header;
  if (bytes.length !== size) throw bad(where, `a page of ${size} bytes, as its header declares`, `${bytes.length}`);
  if (type !== 'DICTIONARY_PAGE') checkPageValues(where, bytes, header, { isOptional, type: meta.type });
}

/** The least bytes of a plain value. */
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
