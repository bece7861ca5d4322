import { Transform } from 'node:stream';
import { Deflate, decompressSync, Gunzip, Inflate } from 'fflate';

interface Codec {
  ondata: (chunk: Uint8Array<ArrayBuffer>, final: boolean) => void;
  push(chunk: Uint8Array<ArrayBuffer>, final?: boolean): void;
}

function transform(codec: Codec): Transform {
  let failure: unknown;
  const push = (chunk: Uint8Array<ArrayBuffer>, final: boolean): Error | null => {
    try {
      codec.push(chunk, final);
    } catch (error) {
      failure = error;
    }
    return failure === undefined ? null : new Error(failure instanceof Error ? failure.message : String(failure));
  };
  const stream = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => done(push(Uint8Array.from(chunk), false)),
    flush: (done) => done(push(new Uint8Array(0), true)),
  });
  codec.ondata = (chunk) => {
    if (chunk.length > 0) stream.push(Buffer.from(chunk));
  };
  return stream;
}

export const createInflateRaw = (): Transform => transform(new Inflate());
export const createDeflateRaw = (): Transform => transform(new Deflate());
export const createGunzip = (): Transform => transform(new Gunzip());
export const unzipSync = (bytes: Uint8Array): Uint8Array => decompressSync(bytes);

export function brotliDecompressSync(): never {
  throw new Error('Brotli is not decompressed in a page: write the file with another compression, such as snappy');
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crc32(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (const byte of bytes) value = (TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return ~value >>> 0;
}
