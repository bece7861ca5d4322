const PHOTOMETRIC = 262;
const COMPRESSION = 259;
const EXTRA_SAMPLES = 338;
const SHORT = 3;
const YCBCR = 6;
const ASSOCIATED = 1;
/** The JPEG decoder turns YCbCr into RGB by itself. */
const JPEGS: readonly (number | undefined)[] = [6, 7];

/** What libvips reads differently from Pillow: YCbCr that no JPEG decoder turns into RGB, and colours premultiplied by alpha in 16 bits. */
export function misread(bytes: Uint8Array, depth: string): string | undefined {
  const tags = shortTags(bytes);
  if (tags.get(PHOTOMETRIC) === YCBCR && !JPEGS.includes(tags.get(COMPRESSION))) return 'colours YCbCr without JPEG';
  return tags.get(EXTRA_SAMPLES) === ASSOCIATED && depth === 'ushort' ? 'associated alpha in 16 bits' : undefined;
}

/** The tags of the first directory that hold one 16-bit number (TIFF 6.0, section 2; BigTIFF has longer fields). */
function shortTags(bytes: Uint8Array): Map<number, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  const u16 = (at: number): number => (at + 2 <= bytes.length ? view.getUint16(at, little) : 0);
  const u32 = (at: number): number => (at + 4 <= bytes.length ? view.getUint32(at, little) : 0);
  const u64 = (at: number): number => (little ? u32(at) + u32(at + 4) * 2 ** 32 : u32(at) * 2 ** 32 + u32(at + 4));
  const isBig = u16(2) === 43;
  const directory = isBig ? u64(8) : u32(4);
  const count = Math.min(u16(isBig && !little ? directory + 6 : directory), 4096);
  const [start, size, value] = isBig ? [directory + 8, 20, 12] : [directory + 2, 12, 8];
  const tags = new Map<number, number>();
  for (let at = start; at < start + count * size; at += size) {
    if (u16(at + 2) === SHORT) tags.set(u16(at), u16(at + value));
  }
  return tags;
}
