import leven from 'leven';
import type { ClassNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { nearestNames } from '../ir/nearestNames.ts';
import type { Dataset } from './dataset.ts';

/**
 * The hint for classes that the model does not have, if anything but renaming them helps; otherwise `undefined`.
 *
 * @param unknown names that the model does not have. @param known how many of the data's names it has.
 */
export type ClassRemedy = (unknown: readonly string[], known: number) => string | undefined;

/** Of names that the model's classes do not have. */
export function refuseNames(
  data: Dataset,
  own: readonly string[],
  { names, from }: ClassNames,
  remedy?: ClassRemedy,
): LossgraftError {
  const unknown = own.filter((name) => !names.includes(name));
  const twice = own.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (unknown.length === 0 && twice !== undefined) return ambiguous(data, twice, from);
  const [first = ''] = unknown;
  const spelled = suggestion(own, names);
  const isSpelling = spelled !== option('classes');
  const other = isSpelling ? undefined : remedy?.(unknown, own.length - unknown.length);
  return new LossgraftError({
    code: 'unknown-class',
    where: unknown.length === 1 ? (data.classPlaces?.[own.indexOf(first)] ?? data.name) : data.name,
    expected: `labels among ${shortened(names)}, as ${from} names the classes`,
    found: shortened(unknown.map((name) => `${JSON.stringify(name)} (nearest: ${quoted(nearest(name, names))})`)),
    hint:
      other ??
      `Correct them, or say what the model's classes are called in the data, in the order of its scores: ${spelled}`,
  });
}

/** Of whole numbers, where classes are whole numbers themselves. */
export function refuseValues(
  data: Dataset,
  unknown: readonly number[],
  { names, from }: ClassNames,
  remedy: () => string | undefined,
): LossgraftError {
  const areIndices = unknown.every((label) => label >= 0 && label < names.length);
  const counted = names.map((_, k) => String(k));
  return new LossgraftError({
    code: 'unknown-class',
    where: data.name,
    expected: `labels among ${shortened(names)}, as ${from} names the classes`,
    found: shortened(unknown.map(String)),
    hint:
      (areIndices ? undefined : remedy()) ??
      `Correct them, or where they are indices, say so: ${option('classes', shortened(counted, ','))}`,
  });
}

function ambiguous(data: Dataset, name: string, from: string): LossgraftError {
  return new LossgraftError({
    code: 'unknown-class',
    where: data.name,
    expected: 'labels that name one class of the model',
    found: `${JSON.stringify(name)}, which ${from} names more than once`,
    hint: `Give each class a name of its own with ${option('classes')}, in the order of its scores`,
  });
}

function nearest(name: string, names: readonly string[]): string | undefined {
  const plain = names.find((other) => bare(other) === bare(name));
  return plain ?? nearestNames(name, names)[0];
}

function quoted(name: string | undefined): string {
  return name === undefined ? 'none' : JSON.stringify(name);
}

/** Without case, spaces and punctuation. */
function bare(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '');
}

/** More names belong in a file. */
const LISTED = 12;

/** The corrected option, if every name in the data is plainly one of the model's in another spelling. */
function suggestion(own: readonly string[], names: readonly string[]): string {
  const spelled = new Map<string, string>();
  for (const name of own) {
    const like = names.includes(name) ? name : nearest(name, names);
    if (like === undefined || spelled.has(like) || !isAlike(name, like)) return option('classes');
    spelled.set(like, name);
  }
  const all = names.map((name) => spelled.get(name) ?? name);
  const isShort = all.length <= LISTED && all.every((name) => !name.includes(','));
  return isShort ? option('classes', all.join(',')) : `${option('classes')}, one name per line`;
}

function isAlike(name: string, other: string): boolean {
  return bare(name) === bare(other) || leven(bare(name), bare(other)) <= Math.min(name.length, other.length) / 3;
}

function shortened(items: readonly string[], separator = ', '): string {
  return `${items.slice(0, 10).join(separator)}${items.length > 10 ? `${separator}… (${items.length})` : ''}`;
}
