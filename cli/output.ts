import { existsSync, realpathSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { LossgraftError } from '../src/catalogue.ts';
import type { Door } from './command.ts';

/**
 * Checks before the work that the output can be written.
 *
 * @throws LossgraftError `output-is-input`, `output-folder` or `output-exists`.
 */
export function checkOutput(
  { refuseExisting }: Door,
  path: string,
  options: { force: boolean; inputs: readonly string[] },
): void {
  if (options.inputs.some((input) => isSameFile(path, input))) {
    throw new LossgraftError({
      code: 'output-is-input',
      where: path,
      expected: 'an output apart from the inputs',
      found: 'the same file',
      hint: 'Choose another name',
    });
  }
  refuseExisting(path, options.force);
}

/** Writes beside `path`, then renames: `path` is whole or untouched. */
export async function writeWhole(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dirname(resolve(path)), `.${basename(path)}.${process.pid}.tmp`);
  try {
    await write(temporary);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    if (cause instanceof LossgraftError) throw cause;
    throw new LossgraftError({
      code: 'write-failed',
      where: path,
      expected: 'to write the file',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Check the folder, its permissions and the free disk space',
      cause,
    });
  }
}

/** Writes text in pieces. */
export async function writeText(path: string, pieces: Iterable<string>): Promise<void> {
  await writeWhole(path, (temporary) => writeFile(temporary, pieces));
}

function isSameFile(a: string, b: string): boolean {
  if (resolve(a) === resolve(b)) return true;
  return existsSync(a) && existsSync(b) && realpathSync(a) === realpathSync(b);
}
