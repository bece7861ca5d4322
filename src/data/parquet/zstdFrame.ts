import { MAX_ZSTD_WINDOW } from '../limits.ts';

const MAGIC = 0xfd2fb528;

/**
 * Walks the frames of Zstandard data (RFC 8878, 3.1.1) without inflating them. Otherwise the decoder would allocate a window of up to 2
 * GiB, and move it at every block, even without data for it (CWE-409, CWE-834).
 *
 * @param size of the inflated data.
 * @throws RangeError if a frame declares another size, or a window of more than {@link MAX_ZSTD_WINDOW}.
 */
export function checkZstd(bytes: Uint8Array, size: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let blocks = 0;
  for (let at = 0; at < bytes.length; ) {
    const magic = view.getUint32(at, true);
    if (magic !== MAGIC) throw new RangeError(`bytes that start no Zstandard frame: ${magic.toString(16)}`);
    const { end, hasChecksum } = readHeader(view, at + 4, size);
    at = end;
    for (let isLast = false; !isLast; blocks++) {
      const header = view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
      const [kind, length] = [(header >> 1) & 3, header >> 3];
      isLast = (header & 1) === 1;
      // A block of one repeated byte holds only that byte.
      at += 3 + (kind === 1 ? 1 : length);
      if (at > bytes.length) throw new RangeError('an end within a Zstandard block');
    }
    if (hasChecksum) at += 4;
  }
  if (blocks > 16 + size / 256) throw new RangeError(`${blocks} Zstandard blocks for ${size} bytes`);
}

function readHeader(view: DataView, start: number, size: number): { end: number; hasChecksum: boolean } {
  const flags = view.getUint8(start);
  const isSingle = (flags & 0x20) !== 0;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const dictionaryBytes = [0, 1, 2, 4][flags & 3] ?? 0;
  let at = start + 1;
  if (!isSingle) {
    const window = view.getUint8(at++);
    const bytes = 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8);
    if (bytes > MAX_ZSTD_WINDOW) throw new RangeError(`a window of ${bytes} bytes, above ${MAX_ZSTD_WINDOW}`);
  }
  at += dictionaryBytes;
  const told = readSize(view, at, sizeBytes);
  if (told !== undefined && told > size)
    throw new RangeError(`${told} bytes in the Zstandard frame, ${size} in the page`);
  return { end: at + sizeBytes, hasChecksum: (flags & 4) !== 0 };
}

function readSize(view: DataView, at: number, bytes: number): number | undefined {
  switch (bytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return undefined;
  }
}
