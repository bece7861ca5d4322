import { type BigIntStats, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from './bytes.ts';
import { checkRange } from './bytes.ts';

/** The window through which a file is scanned. */
export const WINDOW_BYTES: number = 64 * 1024;

/** A source over an open file; it keeps the descriptor until `close`. */
export interface FileSource extends ByteSource {
  readonly fd: number;
  /** The file's identity, regardless of its name. */
  readonly identity: { readonly dev: bigint; readonly ino: bigint };
}

/**
 * Opens a file for reading at any offset. Reads up to 64 KiB go through one window; larger ones bypass it. Errors: `open-failed`,
 * `not-a-file`, and later `truncated-file` if the file has shrunk meanwhile.
 */
export function openFile(path: string): FileSource {
  const fd = attempt(path, () => openSync(path, 'r'));
  const stat = fstatSync(fd, { bigint: true });
  if (!stat.isFile()) {
    closeSync(fd);
    throw new LossgraftError({
      code: 'not-a-file',
      where: path,
      expected: 'a regular file',
      found: stat.isDirectory() ? 'a folder' : 'a device or pipe',
      hint: 'Pass the path of an .onnx file',
    });
  }
  return new PreadSource(path, fd, stat);
}

/** Is `source` backed by a descriptor? */
export function isFileSource(source: ByteSource): source is FileSource {
  return source instanceof PreadSource;
}

class PreadSource implements FileSource {
  readonly name: string;
  readonly fd: number;
  readonly size: number;
  readonly identity: { readonly dev: bigint; readonly ino: bigint };
  readonly #window: Uint8Array;
  #windowStart = 0;
  #windowLength = 0;
  #open = true;

  constructor(name: string, fd: number, stat: BigIntStats) {
    this.name = name;
    this.fd = fd;
    this.size = Number(stat.size);
    this.identity = { dev: stat.dev, ino: stat.ino };
    this.#window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, this.size));
  }

  read(offset: number, length: number): Uint8Array {
    this.#refuseClosed();
    checkRange(this, offset, length);
    if (length > this.#window.length) {
      const bytes = Buffer.allocUnsafeSlow(length);
      this.readInto(bytes, offset);
      return bytes;
    }
    if (offset < this.#windowStart || offset + length > this.#windowStart + this.#windowLength) {
      const wanted = Math.min(this.#window.length, this.size - offset);
      this.#windowLength = 0;
      this.readInto(this.#window.subarray(0, wanted), offset);
      this.#windowStart = offset;
      this.#windowLength = wanted;
    }
    const at = offset - this.#windowStart;
    return this.#window.subarray(at, at + length);
  }

  readInto(target: Uint8Array, offset: number): void {
    this.#refuseClosed();
    checkRange(this, offset, target.length);
    let done = 0;
    while (done < target.length) {
      const n = attempt(this.name, () => readSync(this.fd, target, done, target.length - done, offset + done));
      if (n === 0) {
        throw new LossgraftError({
          code: 'truncated-file',
          where: `${this.name}, byte ${offset + done}`,
          expected: `${this.size} bytes, its size when it was opened`,
          found: 'the end of the file',
          hint: 'The file shrank while it was read; try again when nothing writes to it',
        });
      }
      done += n;
    }
  }

  /** The descriptor may belong to another file by now. */
  #refuseClosed(): void {
    if (this.#open) return;
    throw new LossgraftError({
      code: 'file-closed',
      where: this.name,
      expected: 'an open file',
      found: 'a file that was closed',
      hint: 'Close the model or the data after their last use, or open them again',
    });
  }

  close(): void {
    if (this.#open) closeSync(this.fd);
    this.#open = false;
  }
}

function attempt<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new LossgraftError({
      code: 'open-failed',
      where: path,
      expected: 'a readable file',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Check the path and its permissions',
      cause,
    });
  }
}
