import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { STORE_BLOCK_BYTES, STORE_MEMORY_BYTES } from './limits.ts';

/**
 * Bytes that are written once, in order, and then read at any offset: for what cannot be read in place, such as rows of a CSV. Up to
 * {@link STORE_MEMORY_BYTES} they stay in memory; beyond that they go to a temporary file that nobody else may read and that `close`, or
 * the end of the process, removes.
 */
export interface RowStore {
  readonly size: number;
  /** The bytes are copied. */
  append(bytes: Uint8Array): void;
  /** Fills `target` with the bytes at `offset`. */
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

/**
 * @param name shown in errors: a full disk is the usual one, `store-failed`.
 * @param folder of the temporary file; the system's by default.
 */
export function rowStore(name: string, folder: string = tmpdir()): RowStore {
  return new SpillingStore(name, folder);
}

const BLOCKS_IN_MEMORY = STORE_MEMORY_BYTES / STORE_BLOCK_BYTES;

class SpillingStore implements RowStore {
  readonly #name: string;
  readonly #folder: string;
  readonly #blocks: Uint8Array[] = [];
  #file: TemporaryFile | undefined;
  /** Where the blocks in memory begin. */
  #written = 0;
  #size = 0;

  constructor(name: string, folder: string) {
    this.#name = name;
    this.#folder = folder;
  }

  get size(): number {
    return this.#size;
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = (this.#size - this.#written) % STORE_BLOCK_BYTES;
      if (at === 0) this.#addBlock();
      const part = bytes.subarray(done, done + STORE_BLOCK_BYTES - at);
      this.#blocks.at(-1)?.set(part, at);
      this.#size += part.length;
      done += part.length;
    }
  }

  readInto(target: Uint8Array, offset: number): void {
    if (offset < 0 || offset + target.length > this.#size) {
      throw new RangeError(`${this.#name}: ${offset} + ${target.length} of ${this.#size}`);
    }
    if (this.#file !== undefined && this.#size > this.#written) this.#flush();
    if (this.#file === undefined) copyFrom(this.#blocks, target, offset);
    else this.#file.readInto(target, offset);
  }

  close(): void {
    this.#blocks.length = 0;
    this.#file?.close();
  }

  #addBlock(): void {
    if (this.#blocks.length >= (this.#file === undefined ? BLOCKS_IN_MEMORY : 1)) this.#flush();
    this.#blocks.push(new Uint8Array(STORE_BLOCK_BYTES));
  }

  #flush(): void {
    this.#file ??= temporaryFile(this.#name, this.#folder);
    for (const [i, block] of this.#blocks.entries()) {
      const used = Math.min(block.length, this.#size - this.#written - i * STORE_BLOCK_BYTES);
      this.#file.write(block.subarray(0, used));
    }
    this.#written = this.#size;
    this.#blocks.length = 0;
  }
}

function copyFrom(blocks: readonly Uint8Array[], target: Uint8Array, offset: number): void {
  for (let done = 0; done < target.length; ) {
    const at = (offset + done) % STORE_BLOCK_BYTES;
    const block = blocks[Math.floor((offset + done) / STORE_BLOCK_BYTES)];
    const part = block?.subarray(at, at + target.length - done);
    if (part === undefined) throw new RangeError('rows of a store that was closed');
    target.set(part, done);
    done += part.length;
  }
}

interface TemporaryFile {
  write(bytes: Uint8Array): void;
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

/** On POSIX the file is unlinked at once, so that a killed process leaves nothing behind. */
function temporaryFile(name: string, folder: string): TemporaryFile {
  const path = join(folder, `lossgraft-${randomUUID()}`);
  const guard = <T>(work: () => T): T => attempt(name, folder, work);
  const fd = guard(() => openSync(path, 'wx+', 0o600));
  const isUnlinked = process.platform !== 'win32';
  if (isUnlinked) rmSync(path);
  let end = 0;
  let isOpen = true;
  return {
    write: (bytes) => {
      for (let done = 0; done < bytes.length; ) {
        const count = guard(() => writeSync(fd, bytes, done, bytes.length - done, end));
        done += count;
        end += count;
      }
    },
    readInto: (target, offset) => {
      for (let done = 0; done < target.length; ) {
        const count = guard(() => readSync(fd, target, done, target.length - done, offset + done));
        if (count === 0) throw new RangeError(`${name}: the temporary file is shorter than ${offset + target.length}`);
        done += count;
      }
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(fd);
      if (!isUnlinked) rmSync(path, { force: true });
    },
  };
}

function attempt<T>(name: string, folder: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new LossgraftError({
      code: 'store-failed',
      where: name,
      expected: `space for its rows in the folder ${folder}`,
      found: cause instanceof Error ? cause.message : String(cause),
      hint:
        folder === tmpdir()
          ? 'Free space there, or set TMPDIR to a folder on a larger disk'
          : 'Free space there, or choose a folder on a larger disk',
      cause,
    });
  }
}
