export { Buffer } from 'buffer/index.js';

/** As in Node: are the bytes UTF-8? */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
