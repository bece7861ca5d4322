import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { type FileSource, openFile } from '../../files/source.ts';
import { sourceHash } from '../../hash.ts';
import type { HashedFile } from './format.ts';

/** A file of a shards folder, whose bytes are those that the index records. */
export interface VerifiedFile {
  readonly path: string;
  /** Fills `target` with the bytes at `offset`. The first call reads the whole file, and refuses one that was changed. */
  readInto(target: Uint8Array, offset: number): void;
}

/** The files of a shards folder. A few stay open at a time. */
export interface FolderFiles {
  /** @throws LossgraftError `shard-changed` if it is missing or has another size. */
  open(file: HashedFile): VerifiedFile;
  close(): void;
}

/** Systems allow a process about a thousand open files. */
const OPEN_FILES = 32;

/** @param remedy what to do about a file that was changed. */
export function folderFiles(folder: string, remedy = 'make the shards again from their data'): FolderFiles {
  const open = new Map<string, FileSource>();
  const verified = new Set<string>();
  const sourceOf = (path: string): FileSource => {
    const source = open.get(path) ?? openFile(path);
    // The last one used goes to the end.
    open.delete(path);
    open.set(path, source);
    const [oldest] = open.size > OPEN_FILES ? open.keys() : [];
    if (oldest !== undefined) {
      open.get(oldest)?.close();
      open.delete(oldest);
    }
    return source;
  };
  return {
    open: (file) => {
      const path = join(folder, file.file);
      const bytes = statSync(path, { throwIfNoEntry: false })?.size;
      if (bytes === undefined) throw changed(path, `${file.bytes} bytes`, 'no such file', remedy);
      if (bytes !== file.bytes) throw changed(path, `${file.bytes} bytes`, `${bytes}`, remedy);
      const readInto = (target: Uint8Array, offset: number): void => {
        const source = sourceOf(path);
        const hash = verified.has(path) ? file.sha256 : sourceHash(source);
        if (hash !== file.sha256) throw changed(path, `SHA-256 ${short(file.sha256)}`, short(hash), remedy);
        verified.add(path);
        source.readInto(target, offset);
      };
      return { path, readInto };
    },
    close: () => {
      for (const source of open.values()) source.close();
      open.clear();
    },
  };
}

function short(hash: string): string {
  return `${hash.slice(0, 12)}…`;
}

function changed(where: string, expected: string, found: string, remedy: string): LossgraftError {
  return new LossgraftError({
    code: 'shard-changed',
    where,
    expected: `${expected}, as the index records`,
    found,
    hint: `The file was changed or damaged after it was written: copy it again, or ${remedy}`,
  });
}
