import type { Dataset } from '../data/dataset.ts';
import { LABELS } from '../data/dataset.ts';
import { isMatrix } from '../data/labelMatrix.ts';
import { readNumbers } from '../data/labels.ts';
import { indexTexts } from '../data/labelsFile.ts';
import { MAX_CLASS_NAMES } from '../data/limits.ts';
import { LossgraftError, option } from '../errors.ts';
import { freshClasses, type HeadPlan } from './choice.ts';

/** The names of the data's labels in the model. */
interface Labels {
  readonly data: Dataset;
  readonly input: string;
  /** Names given by the user, in order. */
  readonly given: readonly string[] | undefined;
}

/**
 * A head for the classes of data: given names, or else those of the data in sorted order, or else indices.
 *
 * @throws LossgraftError `head-classes` for indices with gaps, because they may be values.
 */
export async function classesOfData({ data, input, given }: Labels): Promise<HeadPlan> {
  const names = given ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  if (names !== undefined)
    return freshClasses(
      names.length,
      names,
      names.every((name) => /^-?\d+$/.test(name)),
    );
  const key = data.columns.has(input) ? input : LABELS;
  const indexed = await indexTexts(data, false, key);
  if (indexed.classNames !== undefined) return freshClasses(indexed.classNames.length, indexed.classNames);
  const column = indexed.columns.get(key);
  if (column === undefined) return freshClasses(0, undefined);
  // A column of 0 and 1 for each label.
  if (isMatrix(column)) return freshClasses(column.dims[1] ?? 0, undefined);
  const found = new Set<number>();
  const size = column.dims[0] ?? 0;
  for (let start = 0; start < size && found.size <= MAX_CLASS_NAMES; start += AT_ONCE) {
    const labels = await readNumbers(column, start, Math.min(AT_ONCE, size - start), `${data.name}, labels`);
    for (const label of labels) found.add(Number(label));
  }
  const values = [...found].sort((a, b) => a - b);
  if (values.some((value, k) => value !== k)) throw gaps(data.name, values);
  return freshClasses(values.length, undefined);
}

const AT_ONCE = 65_536;
const SHOWN = 12;

function gaps(where: string, values: readonly number[]): LossgraftError {
  const list = values.slice(0, SHOWN).join(', ') + (values.length > SHOWN ? `, … (${values.length})` : '');
  const all = values.length > SHOWN ? option('classes') : option('classes', values.join(','));
  return new LossgraftError({
    code: 'head-classes',
    where: `${where}, labels`,
    expected: 'indices of classes, from 0 on, of which each has samples',
    found: list,
    hint: `Name the classes of the new last layer in the order of its scores: ${all}`,
  });
}
