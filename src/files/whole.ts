import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { LossgraftError } from '../errors.ts';

/** The temporary path of a file while it is written: hidden beside it. */
function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${Date.now().toString(36)}.tmp`);
}

/** Matches the names of temporary files that a killed process left behind. */
export const TEMPORARY: RegExp = /\.\d+(\.[0-9a-z]+)?\.tmp$/;

/**
 * Replaces files together: each is written under a temporary name beside it, then all are renamed in this order.
 *
 * @param write makes every file at the temporary path of its path. Its error passes through, and nothing is left behind.
 */
export function replaceFiles(paths: readonly string[], write: (temporary: (path: string) => string) => void): void {
  const temporaries = new Map(paths.map((path) => [path, temporaryOf(path)]));
  try {
    write((path) => temporaries.get(path) ?? path);
    for (const [path, temporary] of temporaries) renameSync(temporary, path);
  } catch (error) {
    for (const temporary of temporaries.values()) discard(temporary);
    throw error;
  }
}

/** Replaces a file asynchronously: it is complete, or unchanged. @param write makes it at the given path. */
export async function replaceFileLater<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = temporaryOf(path);
  try {
    const made = await write(temporary);
    renameSync(temporary, path);
    return made;
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/**
 * Makes a folder: it is complete, or not there. One that is there gives way to the new one.
 *
 * @param write fills the folder at the given path. Its error passes through, and nothing is left behind.
 */
export async function replaceFolder<T>(path: string, write: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = temporaryOf(resolve(path));
  const old = `${temporary}.old`;
  try {
    mkdirSync(temporary);
    const made = await write(temporary);
    const isThere = existsSync(path);
    if (isThere) renameSync(path, old);
    renameSync(temporary, path);
    return made;
  } catch (error) {
    if (existsSync(old) && !existsSync(path)) renameSync(old, path);
    throw error;
  } finally {
    for (const folder of [temporary, old]) discard(folder);
  }
}

/** Replaces one file: it is complete, or unchanged. */
export function replaceFile(path: string, write: (temporary: string) => void): void {
  replaceFiles([path], (temporary) => write(temporary(path)));
}

export interface WholeOptions {
  /** Wait until the bytes are on the disk (default true); false leaves that to the system, as `cp` does. */
  readonly durable?: boolean;
  /** Default: `write-failed`. */
  readonly failed?: (cause: unknown) => LossgraftError;
}

/** Writes a file completely or not at all. @throws LossgraftError as `failed` says; errors of `write` pass through. */
export function writeWhole(path: string, write: (fd: number) => void, options: WholeOptions = {}): void {
  const { durable = true, failed = (cause) => writeFailed(path, cause) } = options;
  try {
    replaceFile(path, (temporary) => {
      const fd = openSync(temporary, 'wx');
      try {
        write(fd);
        if (durable) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  } catch (cause) {
    throw cause instanceof LossgraftError ? cause : failed(cause);
  }
}

export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}

/** @param hint what to do about it. */
export function writeFailed(
  path: string,
  cause: unknown,
  hint = 'Free space on the disk, or choose another folder',
): LossgraftError {
  return new LossgraftError({
    code: 'write-failed',
    where: path,
    expected: 'a writable file',
    found: cause instanceof Error ? cause.message : String(cause),
    hint,
    cause,
  });
}

/** Reports the first error, rather than that a file was never made or its disk is gone. */
function discard(path: string): void {
  try {
    rmSync(path, { force: true, recursive: true });
  } catch {}
}
