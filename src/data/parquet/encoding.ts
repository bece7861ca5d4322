import type { PageHeader } from 'hyparquet';
import { LossgraftError } from '../../errors.ts';

interface ColumnKind {
  /** Values may be missing. */
  readonly isOptional: boolean;
  readonly type: string;
}

/**
 * Checks that the runs of a data page yield no more values than the page has.
 *
 * @param page levels and values, decompressed.
 * @throws LossgraftError `parquet-encoding` for unsupported encodings; RangeError if runs are too long or incomplete.
 */
export function checkPageValues(where: string, page: Uint8Array, header: PageHeader, column: ColumnKind): void {
  const { data_page_header: v1, data_page_header_v2: v2 } = header;
  const count = v1?.num_values ?? v2?.num_values ?? 0;
  const cursor = new Cursor(page);
  if (v2 !== undefined) {
    cursor.at = v2.repetition_levels_byte_length;
    const length = v2.definition_levels_byte_length;
    // The decoder would take them for values.
    if (length !== 0 && !column.isOptional)
      throw new RangeError(`levels of ${length} bytes in a column without missing values`);
    const end = cursor.at + length;
    if (column.isOptional) cursor.levels(count, end);
    cursor.at = end;
    if (!(v2.num_nulls >= 0 && v2.num_nulls <= count))
      throw new RangeError(`${v2.num_nulls} of ${count} values missing`);
  } else if (column.isOptional) {
    const length = cursor.uint32();
    const end = cursor.at + length;
    cursor.levels(count, end);
    cursor.at = end;
  }
  checkEncoding(where, v1?.encoding ?? v2?.encoding, cursor, count, column);
}

function checkEncoding(
  where: string,
  encoding: string | undefined,
  cursor: Cursor,
  count: number,
  { type }: ColumnKind,
): void {
  switch (encoding) {
    case 'PLAIN':
    case 'BYTE_STREAM_SPLIT':
      return;
    case 'PLAIN_DICTIONARY':
    case 'RLE_DICTIONARY':
      if (!cursor.isAtEnd) cursor.runs(cursor.byte(), count);
      return;
    case 'DELTA_BINARY_PACKED':
    case 'DELTA_LENGTH_BYTE_ARRAY':
      if (!cursor.isAtEnd) cursor.deltaHeader(count);
      return;
    default:
      if (encoding !== 'RLE' || type !== 'BOOLEAN') break;
      cursor.uint32();
      cursor.runs(1, count);
      return;
  }
  throw new LossgraftError({
    code: 'parquet-encoding',
    where,
    expected: 'values in plain, dictionary, run-length, byte-stream-split or delta encoding',
    found: `${encoding}`,
    hint: 'Write the file with default encodings',
  });
}

/** A block of a delta encoding has a multiple of 128 values; writers use 128 or 256. */
const MAX_DELTA_BLOCK = 65_536;

/** The last run of packed bits may be filled up: to 8 values by the format, to 512 by some writers. */
const FILL = 512;

class Cursor {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError('an early end');
    return byte;
  }

  uint32(): number {
    return this.byte() + this.byte() * 2 ** 8 + this.byte() * 2 ** 16 + this.byte() * 2 ** 24;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** One bit for each value: is it present? */
  levels(count: number, end: number): void {
    if (end > this.#bytes.length) throw new RangeError('levels that extend beyond their page');
    const seen = this.runs(1, count, end);
    if (seen < count) throw new RangeError(`levels of ${seen} values where ${count} should be`);
  }

  /** Reads runs of equal or packed values of `width` bits, at most `count`: fewer if some are missing. Returns how many. */
  runs(width: number, count: number, end: number = this.#bytes.length): number {
    if (width > 32) throw new RangeError(`values of ${width} bits`);
    let seen = 0;
    while (seen < count && this.at < end) {
      const header = this.#varint();
      const isPacked = header % 2 === 1;
      const run = Math.floor(header / 2) * (isPacked ? 8 : 1);
      if (run > count - seen + (isPacked ? FILL : 0)) {
        throw new RangeError(`a run of ${run} values where ${count - seen} are left`);
      }
      this.at += isPacked ? (run / 8) * width : Math.ceil(width / 8);
      seen += run;
    }
    return seen;
  }

  deltaHeader(count: number): void {
    const [block, miniblocks, total] = [this.#varint(), this.#varint(), this.#varint()];
    if (block > MAX_DELTA_BLOCK || miniblocks === 0 || miniblocks > block || total > count) {
      throw new RangeError(
        `a delta block of ${block} values in ${miniblocks} parts, ${total} in all where ${count} should be`,
      );
    }
  }

  #varint(): number {
    let value = 0;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number longer than 5 bytes');
  }
}
