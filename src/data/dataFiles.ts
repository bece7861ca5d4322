import { existsSync, readdirSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { byCodePoint } from './order.ts';

/**
 * The files that a path stands for: itself, if it exists; otherwise those of a list `a.csv,b.csv`, or of patterns with `*` and `?`,
 * sorted by name.
 *
 * @throws LossgraftError `data-files` if a pattern matches nothing, extensions differ, or a file occurs twice.
 */
export function dataFiles(path: string): readonly string[] {
  if (existsSync(path)) return [path];
  const isList = path.includes(',') && path.split(',').every((part) => existsSync(part) || /[*?]/.test(part));
  const files = (isList ? path.split(',') : [path]).flatMap((part) => (/[*?]/.test(part) ? matching(part) : [part]));
  const other = files.find((file) => extname(file).toLowerCase() !== extname(files[0] ?? '').toLowerCase());
  if (other !== undefined)
    throw refused(path, `files that end in ${extname(files[0] ?? '')}`, other, 'Convert or remove it');
  const twin = files.find((file, i) => files.indexOf(file) !== i);
  if (twin !== undefined) throw refused(path, 'each file once', `${twin} twice`, 'Remove it from the list');
  return files;
}

function matching(pattern: string): string[] {
  const found = below(pattern);
  if (found.length > 0) return found.sort(byCodePoint);
  throw refused(
    pattern,
    'files that match',
    'none',
    'Correct the pattern: * matches any characters but /, ? matches one',
  );
}

function below(pattern: string): string[] {
  const [folder, name] = [dirname(pattern), pattern.slice(pattern.lastIndexOf('/') + 1)];
  const folders = /[*?]/.test(folder) ? below(folder) : [folder];
  const test = new RegExp(
    `^${name
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
    's',
  );
  return folders.filter(existsSync).flatMap((where) =>
    readdirSync(where).flatMap((entry) => {
      const isHidden = entry.startsWith('.') && !name.startsWith('.');
      if (isHidden || !test.test(entry)) return [];
      return [folder === '.' && !pattern.startsWith('./') ? entry : join(where, entry)];
    }),
  );
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'data-files', where, expected, found, hint });
}
