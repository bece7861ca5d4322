import { statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { visibleNames } from './folder.ts';
import type { DataOptions } from './options.ts';

/** Usual names of label tables beside images: Roboflow's, common ones, Hugging Face's. */
const NAMES: readonly string[] = ['_classes', 'labels', 'metadata'];

const isTable = (name: string): boolean => /^\.(csv|tsv|parquet)$/i.test(extname(name));

/**
 * The table of labels in a folder of images whose samples may have several: requested by the label options, or `_classes.csv`, a name
 * that nothing else has. `undefined` for other data.
 *
 * @throws LossgraftError `table-columns` if it is requested and cannot be found.
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
