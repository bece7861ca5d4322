import { statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { visibleNames } from './folder.ts';
import type { DataOptions } from './options.ts';

/** What tables of labels beside images are called: by Roboflow, by people, by Hugging Face. */
const NAMES: readonly string[] = ['_classes', 'labels', 'metadata'];

const isTable = (name: string): boolean => /^\.(csv|tsv|parquet)$/i.test(extname(name));

/**
 * The table in a folder of images that tells the labels of each, where samples may have several: asked for by the options of labels, or
 * `_classes.csv`, which nothing else is called. `undefined` for other data.
 *
 * @throws LossgraftError `table-columns` where it is requested and cannot be told.
 */
export function tableInFolder(
  path: string,
  { labelColumns, labelSeparator }: DataOptions,
): { readonly path: string; readonly isRoboflow: boolean } | undefined {
  if (!(statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)) return undefined;
  const tables = visibleNames(path).filter(isTable);
  const isAsked = labelColumns !== undefined || labelSeparator !== undefined;
  const called = tables.filter((name) => NAMES.includes(name.slice(0, -extname(name).length).toLowerCase()));
  const [only, ...others] = called.length > 0 ? called : isAsked ? tables : [];
  if (only !== undefined && others.length === 0 && (isAsked || only === '_classes.csv'))
    return { path: join(path, only), isRoboflow: only === '_classes.csv' };
  if (!isAsked) return undefined;
  throw new LossgraftError({
    code: 'table-columns',
    where: path,
    expected: 'one table of labels in the folder: labels.csv, metadata.csv or _classes.csv',
    found: [only, ...others].filter((name) => name !== undefined).join(', ') || 'none',
    hint: `Name the table itself instead of the folder, or leave ${option('labelColumns')} and ${option('labelSeparator')} out`,
  });
}
