import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../hash.ts';
import { dataFiles } from './dataFiles.ts';
import type { Dataset } from './dataset.ts';
import { byCodePoint } from './order.ts';
import { INDEX_NAME } from './shards/format.ts';
import { holdsShards } from './shards/readIndex.ts';

/** A fingerprint of data. */
export interface DataDigest {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** The SHA-256 of one file; for several files that of a list in the form of `sha256sum`, or of their sizes if they are large. */
  readonly sha256: string;
  readonly of: 'contents' | 'names and sizes';
}

/** Larger data are identified by names and sizes, because reading them takes too long. */
const MAX_BYTES: number = 2 ** 30;
const MAX_FILES = 20_000;

interface FileSize {
  /** Its name in the list. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** The digest of all files that data were read from, of shards that of their index; `null` for data not opened from a path. */
export async function digestOf({ source, further = [] }: Dataset): Promise<DataDigest | null> {
  if (source === undefined) return null;
  const { path, options } = source;
  const labels = typeof options.labels === 'string' ? [options.labels] : [];
  const files = dataFiles(path).map((file) => (holdsShards(file) ? join(file, INDEX_NAME) : file));
  const own = [...files, ...labels, ...further].flatMap(filesAt);
  const bytes = own.reduce((sum, file) => sum + file.bytes, 0);
  const about = { path, files: own.length, bytes };
  const [only] = own;
  if (only && own.length === 1 && bytes <= MAX_BYTES)
    return { ...about, sha256: await sha256(only.path), of: 'contents' };
  const isRead = bytes <= MAX_BYTES && own.length <= MAX_FILES;
  const list = createHash('sha256');
  for (const file of own) list.update(`${isRead ? await sha256(file.path) : file.bytes}  ${file.name}\n`);
  return { ...about, sha256: list.digest('hex'), of: isRead ? 'contents' : 'names and sizes' };
}

/** A file, or all files below a folder, with names relative to it. */
function filesAt(path: string): FileSize[] {
  const found = statSync(path);
  if (!found.isDirectory()) return [{ name: path.replace(/^.*[\\/]/, ''), path, bytes: found.size }];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .sort(byCodePoint)
    .flatMap((name) => {
      const file = statSync(join(path, name), { throwIfNoEntry: false });
      return file?.isFile() ? [{ name, path: join(path, name), bytes: file.size }] : [];
    });
}
