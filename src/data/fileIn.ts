import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';

/** A file that a user may refer to by its folder. */
interface Wanted {
  /** Its name in a folder. */
  readonly name: string;
  /** The error code, and the hint if a folder has no such file. */
  readonly code: ErrorCode;
  hint(folder: string): string;
}

/** The file that a path stands for: itself, or the file of that name in a folder. @throws LossgraftError if a folder has none. */
export function fileIn(path: string, { name, code, hint }: Wanted): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  const there = readdirSync(path).sort();
  if (there.includes(name)) return join(path, name);
  const shown = there.slice(0, 8).join(', ');
  throw new LossgraftError({
    code,
    where: path,
    expected: `a ${name}, or a folder with one`,
    found: there.length === 0 ? 'an empty folder' : `a folder with ${shown}${there.length > 8 ? ', …' : ''}`,
    hint: hint(basename(path)),
  });
}
