import { Buffer } from 'node:buffer';
import { sha256 } from '@noble/hashes/sha2.js';

interface Hash {
  update(data: Uint8Array | string): Hash;
  digest(encoding: 'hex' | 'base64'): string;
}

/** SHA-256, in one go as in Node: a page's own is asynchronous. */
export function createHash(name: string): Hash {
  if (name !== 'sha256') throw new Error(`a page has no hash ${name}`);
  const hash = sha256.create();
  const own: Hash = {
    update: (data) => {
      hash.update(typeof data === 'string' ? new TextEncoder().encode(data) : data);
      return own;
    },
    digest: (encoding) => Buffer.from(hash.digest()).toString(encoding),
  };
  return own;
}

export const randomUUID = (): string => crypto.randomUUID();
