import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Bytes read at a time: a stream's 64 KiB take twice as long. */
const READ_BYTES = 2 ** 20;

/** The SHA-256 of a file, in hex. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** The SHA-256 of bytes, in hex. */
export function bytesHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The SHA-256 of all bytes of a source, in hex. */
export function sourceHash(source: {
  readonly size: number;
  readInto(target: Uint8Array, offset: number): void;
}): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(READ_BYTES, source.size));
  for (let done = 0; done < source.size; done += buffer.length) {
    const piece = buffer.subarray(0, source.size - done);
    source.readInto(piece, done);
    hash.update(piece);
  }
  return hash.digest('hex');
}
