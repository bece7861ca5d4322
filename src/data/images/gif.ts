/** A GIF's first frame without what Pillow, and so torchvision, ignores: transparency, offsets, later frames. */
export interface FirstPicture {
  /** A GIF of this frame alone, in all its colours. */
  readonly bytes: Uint8Array;
  /** The same frame all in white: pixels that are not white there have no data. */
  readonly white: Uint8Array;
  /** Its position on the screen. */
  readonly left: number;
  readonly top: number;
  readonly screen: { readonly height: number; readonly width: number };
  /** The background of the rest of the screen: the transparent colour, or the first. */
  readonly rest: readonly [number, number, number];
}

const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const HAS_TABLE = 0x80;
const INTERLACED = 0x40;

/**
 * Reads the blocks up to the first frame (GIF89a, appendix A). Pillow shows a transparent pixel in its colour from the table.
 *
 * @returns undefined where there is none, or the file ends before it does.
 */
export function firstPicture(bytes: Uint8Array): FirstPicture | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u8 = (at: number): number => bytes[at] ?? 0;
  const u16 = (at: number): number => (at + 2 <= bytes.length ? view.getUint16(at, true) : 0);
  let at = 13;
  const shared = readTable(bytes, at, u8(10));
  at += shared?.length ?? 0;
  let transparent: number | undefined;
  for (; at < bytes.length && u8(at) !== IMAGE && u8(at) !== TRAILER; at = nextBlock(bytes, at)) {
    const isControl = u8(at) === EXTENSION && u8(at + 1) === GRAPHIC_CONTROL;
    if (isControl && (u8(at + 3) & 1) === 1) transparent = u8(at + 6);
  }
  if (u8(at) !== IMAGE) return undefined;
  const [left, top, width, height, flags] = [u16(at + 1), u16(at + 3), u16(at + 5), u16(at + 7), u8(at + 9)];
  at += 10;
  const own = readTable(bytes, at, flags);
  at += own?.length ?? 0;
  const end = endOfBlocks(bytes, at + 1);
  if (end > bytes.length) return undefined;
  const colours = allColours(own ?? shared);
  const index = 3 * (transparent ?? 0);
  const alone = (table: Uint8Array): Uint8Array =>
    Buffer.concat([header(width, height, flags & INTERLACED, table), bytes.subarray(at, end), Buffer.of(TRAILER)]);
  return {
    bytes: alone(colours),
    white: alone(new Uint8Array(768).fill(255)),
    left,
    top,
    screen: { height: Math.max(u16(8), top + height), width: Math.max(u16(6), left + width) },
    rest: [colours[index] ?? 0, colours[index + 1] ?? 0, colours[index + 2] ?? 0],
  };
}

function readTable(bytes: Uint8Array, at: number, flags: number): Uint8Array | undefined {
  return flags & HAS_TABLE ? bytes.subarray(at, at + 3 * 2 ** ((flags & 7) + 1)) : undefined;
}

/** 256 of them: black beyond the end of a table, greys if there is none. */
function allColours(table: Uint8Array | undefined): Uint8Array {
  const colours = Uint8Array.from({ length: 768 }, (_, i) => (table === undefined ? Math.floor(i / 3) : 0));
  colours.set(table ?? []);
  return colours;
}

/** Bytes between blocks are skipped. */
function nextBlock(bytes: Uint8Array, at: number): number {
  return bytes[at] === EXTENSION ? endOfBlocks(bytes, at + 2) : at + 1;
}

/** Blocks of data, each preceded by its length; one of length 0 ends them. */
function endOfBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) return bytes.length + 1;
    at += 1 + length;
    if (length === 0) return at;
  }
}

function header(width: number, height: number, interlaced: number, colours: Uint8Array): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt16LE(width, 0);
  size.writeUInt16LE(height, 2);
  const screen = [...size, HAS_TABLE | 0x70 | 7, 0, 0];
  return Buffer.concat([
    Buffer.from('GIF89a'),
    Buffer.of(...screen),
    colours,
    Buffer.of(IMAGE, 0, 0, 0, 0, ...size, interlaced),
  ]);
}
