import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { WINDOW_BYTES } from '../files/source.ts';
import { MAX_DEPTH, MAX_STRING_BYTES, MAX_VARINT_BYTES } from './limits.ts';
import type { Span } from './types.ts';
import { END_GROUP, FIXED32, FIXED64, LEN, START_GROUP, VARINT } from './wire.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** The first window of a reader: many readers stop after one node. */
const FIRST_WINDOW_BYTES = 1024;
const WIRE_NAMES = ['varint', 'fixed64', 'length-delimited', 'group', 'end of group', 'fixed32'];

/**
 * Walks the fields of a message, one after the other, in untrusted bytes. After `next(end)` the field is described by `number`,
 * `wire`, `start`, `body` and `end`; `enter` goes into it, otherwise the walk goes on behind it.
 */
export class WireReader {
  readonly source: ByteSource;
  number = 0;
  wire = 0;
  start = 0;
  /** Where the tag ends: the length's place in a length-delimited field. */
  tagEnd = 0;
  body = 0;
  end = 0;
  #pos = 0;
  #depth = 0;
  #low = 0;
  #high = 0;
  #chunk: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(this.#chunk.buffer);
  #chunkStart = 0;
  #window = FIRST_WINDOW_BYTES;

  constructor(source: ByteSource) {
    this.source = source;
  }

  get span(): Span {
    return { start: this.start, body: this.body, end: this.end };
  }

  /** Calls `onField` for each field of the message at `span`, then stands behind it. */
  walk(span: Span, onField: (reader: this) => void): void {
    if (++this.#depth > MAX_DEPTH) {
      throw this.error('too-deep', `at most ${MAX_DEPTH} nested messages, protobuf’s limit`, 'more', span.start);
    }
    this.#pos = span.body;
    while (this.next(span.end)) onField(this);
    this.#depth--;
  }

  /** Starts at a field boundary; for walks that need no depth. */
  seek(position: number): void {
    this.#pos = position;
  }

  /** Reads the next field of a message that ends before `end`; false at its end. */
  next(end: number): boolean {
    if (this.#pos >= end) return false;
    this.start = this.#pos;
    this.#readTag(end);
    if (this.wire === END_GROUP) throw this.error('malformed', 'a field', 'the end of a group that was never opened');
    if (this.wire === START_GROUP) this.#skipGroup(end);
    else this.#skipValue(end);
    return true;
  }

  /** The field's value as a signed 64-bit integer. */
  bigint(what: string): bigint {
    this.expect(VARINT, what);
    return (BigInt(this.#high | 0) << 32n) | BigInt(this.#low);
  }

  /** The field's value as a number; not exact beyond 2^53. */
  int(what: string): number {
    this.expect(VARINT, what);
    return (this.#high | 0) * 2 ** 32 + this.#low;
  }

  float(what: string): number {
    this.expect(FIXED32, what);
    return this.floatAt(this.body);
  }

  floatAt(position: number): number {
    const at = this.#ensure(position, 4);
    return this.#view.getFloat32(at, true);
  }

  /** The field's value as text. Errors: `invalid-utf8`, `too-long`. */
  string(what: string): string {
    this.expect(LEN, what);
    const length = this.end - this.body;
    if (length > MAX_STRING_BYTES) {
      throw this.error('too-long', `${what} of at most ${MAX_STRING_BYTES} bytes`, `${length} bytes`);
    }
    const text = this.text(this.body, this.end);
    if (text === undefined) throw this.error('invalid-utf8', `${what} in UTF-8`, 'other bytes');
    return text;
  }

  /** Text between two offsets, or `undefined` if it is not UTF-8. */
  text(start: number, end: number): string | undefined {
    const length = end - start;
    if (length > WINDOW_BYTES) {
      const bytes = new Uint8Array(length);
      this.source.readInto(bytes, start);
      return decode(bytes);
    }
    const at = this.#ensure(start, length);
    return decode(this.#chunk.subarray(at, at + length));
  }

  /** Each varint of a packed field. */
  packedVarints(onValue: (low: number, high: number) => void): void {
    const { body, end } = this;
    this.#pos = body;
    while (this.#pos < end) {
      this.#readVarint(end);
      onValue(this.#low, this.#high);
    }
    this.#pos = end;
  }

  /** A repeated varint: one element, or a packed field of several; as unsigned (low, high) 32-bit halves. */
  varints(what: string, onValue: (low: number, high: number) => void): void {
    if (this.wire === LEN) {
      this.packedVarints(onValue);
    } else {
      this.expect(VARINT, what);
      onValue(this.#low, this.#high);
    }
  }

  /** `repeated int64`: one element, or a packed field of several. */
  bigints(what: string, onValue: (value: bigint) => void): void {
    this.varints(what, (low, high) => onValue((BigInt(high | 0) << 32n) | BigInt(low)));
  }

  /** `repeated float`: one element, or a packed field of several. */
  floats(what: string, onValue: (value: number) => void): void {
    if (this.wire !== LEN) {
      onValue(this.float(what));
      return;
    }
    if ((this.end - this.body) % 4 !== 0)
      throw this.error('malformed', `${what} packed in units of 4 bytes`, 'some bytes left over');
    for (let at = this.body; at < this.end; at += 4) onValue(this.floatAt(at));
  }

  expect(wire: number, what: string): void {
    if (this.wire === wire) return;
    throw this.error('wire-type', `${what} as ${WIRE_NAMES[wire]}`, `${WIRE_NAMES[this.wire]}`);
  }

  /** A field that may stand only once in its message (protobuf would merge two; decoders disagree). */
  once(previous: unknown, what: string): void {
    if (previous === undefined) return;
    throw this.error('duplicate-field', `one ${what}`, 'a second one');
  }

  error(code: ErrorCode, expected: string, found: string, at: number = this.start): LossgraftError {
    const hint = 'The file is damaged or is not an ONNX export; download or export it again';
    return new LossgraftError({ code, where: `${this.source.name}, byte ${at}`, expected, found, hint });
  }

  #readTag(end: number): void {
    this.#readVarint(end);
    this.wire = this.#low & 7;
    this.number = this.#low >>> 3;
    this.tagEnd = this.#pos;
    this.body = this.#pos;
    if (this.#high !== 0 || this.number === 0 || this.wire > FIXED32) {
      throw this.error('malformed', 'the tag of a field', `0x${this.#low.toString(16)}`);
    }
  }

  #skipValue(end: number): void {
    if (this.wire === VARINT) {
      this.#readVarint(end);
      this.end = this.#pos;
      return;
    }
    let length = this.wire === FIXED64 ? 8 : 4;
    if (this.wire === LEN) {
      this.#readVarint(end);
      length = this.#high * 2 ** 32 + this.#low;
      this.body = this.#pos;
    }
    this.#checkEnd(this.body + length, end);
    this.end = this.body + length;
    this.#pos = this.end;
  }

  #checkEnd(stop: number, end: number): void {
    if (stop <= end) return;
    const { size } = this.source;
    if (stop > size) {
      const expected = `field ${this.number} up to byte ${stop}`;
      throw this.error('truncated-file', expected, `the end of the file at byte ${size}`);
    }
    throw this.error('malformed', `field ${this.number} within its message, before byte ${end}`, `its end at ${stop}`);
  }

  #skipGroup(end: number): void {
    const { start, number, tagEnd, body } = this;
    const open = [number];
    while (open.length > 0) {
      if (this.#pos >= end) this.#checkEnd(this.#pos + 1, end);
      if (this.#depth + open.length > MAX_DEPTH) {
        throw this.error('too-deep', `at most ${MAX_DEPTH} nested groups`, 'more', start);
      }
      this.#readTag(end);
      if (this.wire === START_GROUP) open.push(this.number);
      else if (this.wire !== END_GROUP) this.#skipValue(end);
      else if (open.pop() !== this.number) throw this.error('malformed', 'the end of its group', 'that of another');
    }
    Object.assign(this, { start, number, tagEnd, body, wire: START_GROUP, end: this.#pos });
  }

  #readVarint(end: number): void {
    const available = Math.min(MAX_VARINT_BYTES, end - this.#pos);
    const at = this.#ensure(this.#pos, available);
    let low = 0;
    let high = 0;
    for (let i = 0; i < available; i++) {
      const byte = this.#chunk[at + i] ?? 0;
      const bits = byte & 127;
      const shift = 7 * i;
      if (shift < 32) low |= bits << shift;
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
      if (byte < 128) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        this.#pos += i + 1;
        return;
      }
    }
    if (available === MAX_VARINT_BYTES) throw this.error('malformed', 'a varint of at most 10 bytes', 'a longer one');
    this.#checkEnd(end + 1, end);
  }

  /** Makes `length` bytes (at most a window) from `position` available; gives their index in the chunk. */
  #ensure(position: number, length: number): number {
    const at = position - this.#chunkStart;
    if (at >= 0 && at + length <= this.#chunk.length) return at;
    const wanted = Math.min(this.#window, this.source.size - position);
    this.#window = WINDOW_BYTES;
    // A copy, because another reader of this source may move its window before this one goes on.
    this.#chunk = new Uint8Array(this.source.read(position, Math.max(wanted, length)));
    this.#view = new DataView(this.#chunk.buffer);
    this.#chunkStart = position;
    return 0;
  }
}

/** `undefined` if they are not UTF-8. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes);
  } catch {
    return undefined;
  }
}
