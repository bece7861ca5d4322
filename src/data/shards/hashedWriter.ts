import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { writeAll } from '../../files/whole.ts';
import { type DataType, isText, type Tensor, type TensorData } from '../../tensor.ts';
import { joinData } from '../../tensorRows.ts';
import { formatNpyHeader, npyDescr } from '../numpy/npyHeader.ts';
import type { HashedFile } from './format.ts';

/** An .npy file that is written in pieces and hashed on the way. */
export interface HashedWriter {
  add(data: TensorData): void;
  /** Waits until the bytes are on the disk. */
  finish(): HashedFile;
  /** After an error. */
  close(): void;
}

/** @throws an error of the system, such as a full disk. */
export function hashedWriter(folder: string, file: string, dtype: DataType, dims: readonly number[]): HashedWriter {
  const descr = npyDescr(dtype);
  if (descr === undefined) throw new RangeError(`NumPy has no ${dtype}`);
  const fd = openSync(join(folder, file), 'wx');
  const hash = createHash('sha256');
  let bytes = 0;
  let isOpen = true;
  const write = (piece: Uint8Array): void => {
    writeAll(fd, piece);
    hash.update(piece);
    bytes += piece.length;
  };
  const close = (): void => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  try {
    write(formatNpyHeader(descr, dims));
  } catch (error) {
    close();
    throw error;
  }
  return {
    add: (data) => {
      if (!isText(data)) write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    },
    finish: () => {
      fsyncSync(fd);
      close();
      return { file, bytes, sha256: hash.digest('hex') };
    },
    close,
  };
}

/** Writes texts as bytes of UTF-8, one behind the other, and the places where they end. */
export function writeTextFiles(
  folder: string,
  stem: string,
  texts: readonly string[],
): HashedFile & { ends: HashedFile } {
  const parts = texts.map((text) => new TextEncoder().encode(text));
  let end = 0;
  const ends = BigInt64Array.from(parts, ({ length }) => {
    end += length;
    return BigInt(end);
  });
  const file = writeFileOf(folder, `${stem}.npy`, { dtype: 'uint8', dims: [end], data: joinData(parts) });
  return {
    ...file,
    ends: writeFileOf(folder, `${stem}-ends.npy`, { dtype: 'int64', dims: [ends.length], data: ends }),
  };
}

/** Writes a tensor that is in memory. */
export function writeFileOf(folder: string, file: string, { dtype, dims, data }: Tensor): HashedFile {
  const writer = hashedWriter(folder, file, dtype, dims);
  try {
    writer.add(data);
    return writer.finish();
  } finally {
    writer.close();
  }
}
