/** Orders names by code point, as Python's `sorted` does. JavaScript's own order is that of UTF-16, which differs beyond U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
