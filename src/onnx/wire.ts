/** Protobuf wire types. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LEN = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED32 = 5;

/** Bytes in pieces, so that big payloads are never joined. */
export type ByteParts = readonly Uint8Array[];

/** A non-negative integer (up to 2^53) as a varint. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function partsLength(parts: ByteParts): number {
  return parts.reduce((n, part) => n + part.length, 0);
}

export function concat(parts: ByteParts): Uint8Array {
  const bytes = new Uint8Array(partsLength(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A length-delimited field. */
export function lenField(number: number, parts: ByteParts): ByteParts {
  return [varint(number * 8 + LEN), varint(partsLength(parts)), ...parts];
}

const utf8 = new TextEncoder();

export function stringField(number: number, value: string): Uint8Array {
  return concat(lenField(number, [utf8.encode(value)]));
}

/** A varint field; `value` is non-negative. */
export function intField(number: number, value: number): Uint8Array {
  return concat([varint(number * 8 + VARINT), varint(value)]);
}
