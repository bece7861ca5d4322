import { isImageName } from '../folder.ts';
import type { Table } from '../tables/table.ts';

/** Usual names of a column of paths. */
const PATHS = /^((image|img|picture|photo|file)(_?(path|file|name))?|(file)?path)s?$/i;

/** The column with paths of images, recognized by its name and its first cell; `undefined` if there is none. */
export async function findPaths(table: Table): Promise<string | undefined> {
  const named = table.columns.flatMap((name, i) => (PATHS.test(name) ? [i] : []));
  if (named.length === 0) return undefined;
  for await (const { cells } of table.rows(named)) {
    const at = cells.findIndex((cell) => typeof cell === 'string' && isImageName(cell));
    return at < 0 ? undefined : table.columns[named[at] ?? 0];
  }
  return undefined;
}
