/** Removes from images what makes a browser rotate them: Pillow leaves them as stored. */

export function withoutOrientation(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const [first, second] = bytes;
  const cuts = first === 0xff && second === 0xd8 ? exifSegments(bytes) : first === 0x89 ? exifChunks(bytes) : [];
  const kept = new Uint8Array(bytes.length - cuts.reduce((sum, [from, to]) => sum + to - from, 0));
  let [read, written] = [0, 0];
  for (const [from, to] of [...cuts, [bytes.length, bytes.length] as const]) {
    kept.set(bytes.subarray(read, from), written);
    written += from - read;
    read = to;
  }
  return kept;
}

type Cut = readonly [from: number, to: number];

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/** APP1 segments of a JPEG that hold Exif, before its first scan. */
function exifSegments(bytes: Uint8Array): Cut[] {
  const view = viewOf(bytes);
  const cuts: Cut[] = [];
  for (let at = 2; at + 8 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== START_OF_SCAN; ) {
    const end = at + 2 + view.getUint16(at + 2);
    if (bytes[at + 1] === APP1 && textAt(bytes, at + 4) === 'Exif') cuts.push([at, Math.min(end, bytes.length)]);
    at = end;
  }
  return cuts;
}

const APP1 = 0xe1;
const START_OF_SCAN = 0xda;

/** eXIf chunks of a PNG: length, type, data, checksum. */
function exifChunks(bytes: Uint8Array): Cut[] {
  const view = viewOf(bytes);
  const cuts: Cut[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (textAt(bytes, at + 4) === 'eXIf') cuts.push([at, Math.min(end, bytes.length)]);
    at = end;
  }
  return cuts;
}
