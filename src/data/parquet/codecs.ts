import { brotliDecompressSync, unzipSync } from 'node:zlib';
import type { CompressionCodec, Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { checkZstd } from './zstdFrame.ts';

/**
 * Inflates pages to the size in their header, never to more. Node's zlib also checks gzip's checksums.
 *
 * @throws RangeError or zlib's error if the bytes give more than that or are damaged.
 */
export const codecs: Compressors = {
  ...compressors,
  GZIP: (input, size) => unzipSync(input, { maxOutputLength: Math.max(1, size) }),
  BROTLI: (input, size) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, size) }),
  ZSTD: (input, size) => {
    checkZstd(input, size);
    const page = compressors.ZSTD?.(input, size);
    if (page === undefined) throw new RangeError('no decoder of Zstandard');
    return page;
  },
};

export const codecNames = Object.keys(codecs) as readonly CompressionCodec[];
