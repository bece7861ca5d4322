import { MAX_THRIFT_DEPTH } from '../limits.ts';

/**
 * Walks a structure in Thrift's compact protocol without building it. Once every list is known to be complete, the bytes bound what a
 * decoder allocates (CWE-770), and {@link MAX_THRIFT_DEPTH} bounds its recursion (CWE-674).
 *
 * @returns where it ends.
 * @throws RangeError if it is incomplete.
 */
export function checkThrift(bytes: Uint8Array, offset = 0): number {
  return new Walker(bytes, offset).struct(0);
}

const [STOP, BOOL_TRUE, BOOL_FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12,
];

class Walker {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#at = offset;
  }

  struct(depth: number): number {
    if (depth > MAX_THRIFT_DEPTH) throw new RangeError(`structures nested more than ${MAX_THRIFT_DEPTH} deep`);
    for (;;) {
      const head = this.#byte();
      const type = head & 0x0f;
      if (type === STOP) return this.#at;
      if (head >> 4 === 0) this.#varint();
      this.#element(type, depth, false);
    }
  }

  #element(type: number, depth: number, isInList: boolean): void {
    switch (type) {
      case BOOL_TRUE:
      case BOOL_FALSE:
        if (isInList) this.#skip(1);
        return;
      case BYTE:
        this.#skip(1);
        return;
      case I16:
      case I32:
      case I64:
        this.#varint();
        return;
      case DOUBLE:
        this.#skip(8);
        return;
      case BINARY:
        this.#skip(this.#varint());
        return;
      case LIST:
      case SET:
        this.#list(depth + 1);
        return;
      case STRUCT:
        this.struct(depth + 1);
        return;
      default:
        throw new RangeError(`a field of unknown type ${type}`);
    }
  }

  #list(depth: number): void {
    if (depth > MAX_THRIFT_DEPTH) throw new RangeError(`lists nested more than ${MAX_THRIFT_DEPTH} deep`);
    const head = this.#byte();
    const size = head >> 4 === 15 ? this.#varint() : head >> 4;
    if (size > this.#bytes.length - this.#at) throw new RangeError(`a list of ${size} elements that ends early`);
    for (let i = 0; i < size; i++) this.#element(head & 0x0f, depth, true);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError('an early end');
    return byte;
  }

  #skip(count: number): void {
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new RangeError('an early end');
  }

  #varint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number longer than 10 bytes');
  }
}
