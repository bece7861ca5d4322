import { LossgraftError } from '../errors.ts';

/** Bytes that can be read at any offset: a file (by pread, through a window) or a buffer. */
export interface ByteSource {
  /** Shown in errors: the file's path, or what the caller named the buffer. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; valid until the next call. */
  read(offset: number, length: number): Uint8Array;
  /** Fills `target` with the bytes from `offset`, past any window. */
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

/** A buffer as a source; `name` is shown in errors. */
export function fromBytes(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      checkRange(this, offset, length);
      return bytes.subarray(offset, offset + length);
    },
    readInto(target, offset) {
      checkRange(this, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    close() {},
  };
}

/** @throws LossgraftError `truncated-file` if the source does not have these bytes. */
export function checkRange(source: ByteSource, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw new LossgraftError({
    code: 'truncated-file',
    where: `${source.name}, byte ${offset}`,
    expected: `${length} bytes`,
    found: `a file of ${source.size} bytes`,
    hint: 'The file is truncated or damaged; get it again',
  });
}
