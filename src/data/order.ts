/** Orders names by code point, as Python's `sorted` does. JavaScript's own order is that of UTF-16, which differs beyond U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** `0 cat, 1 dog, …`, for notes. */
export function numbered(classes: readonly string[]): string {
  const shown = classes.slice(0, 20).map((name, index) => `${index} ${name}`);
  return `${shown.join(', ')}${classes.length > shown.length ? `, … (${classes.length})` : ''}`;
}
