import { extname, join, parse } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { isFolder } from '../modelFolder.ts';
import { visibleNames } from './folder.ts';

/** The paths of a data set that comes in parts. */
export interface DataParts {
  readonly data: string;
  readonly validation?: string;
  readonly test?: string;
}

const NAMES: Readonly<Record<keyof DataParts, RegExp>> = {
  data: /^train(ing)?$/i,
  validation: /^(val|valid|validation|dev|eval)$/i,
  test: /^test(ing)?$/i,
};

const FORMATS = /^\.(csv|tsv|parquet|npz)$/i;

/**
 * The parts of a folder that holds nothing but `train`, `val` (`valid`, `validation`, `dev`, `eval`) and `test`: folders of class
 * folders, or tables and arrays of these names. `undefined` for any other path.
 *
 * @throws LossgraftError `data-parts` for a part that occurs twice.
 */
export function dataParts(path: string): DataParts | undefined {
  if (!isFolder(path)) return undefined;
  const names = visibleNames(path);
  const folders = names.filter((name) => isFolder(join(path, name)));
  const parts = folders.length > 0 ? folders : names.filter((name) => FORMATS.test(extname(name)));
  const stem = (name: string): string => (folders.length > 0 ? name : parse(name).name);
  if (!parts.every((name) => Object.values(NAMES).some((known) => known.test(stem(name))))) return undefined;
  const find = (part: keyof DataParts): string | undefined => {
    const [found, other] = parts.filter((name) => NAMES[part].test(stem(name)));
    if (other !== undefined) throw twice(path, found, other);
    return found === undefined ? undefined : join(path, found);
  };
  const [data, validation, test] = [find('data'), find('validation'), find('test')];
  const isDivided =
    data !== undefined && (folders.length === 0 || visibleNames(data).some((name) => isFolder(join(data, name))));
  if (!isDivided) return undefined;
  return { data, ...(validation === undefined ? {} : { validation }), ...(test === undefined ? {} : { test }) };
}

function twice(where: string, found = '', other = ''): LossgraftError {
  return new LossgraftError({
    code: 'data-parts',
    where,
    expected: 'each part once: train, val, test',
    found: `${found} and ${other}`,
    hint: `Name the parts that you mean with ${option('data')}, ${option('validation')} and ${option('test')}`,
  });
}
