import type { ClassCounts } from '../classCounts.ts';
import { LossgraftError } from '../errors.ts';
import { nearestNames } from '../ir/nearestNames.ts';
import type { ClassNames } from './names.ts';

/** Options that give a number for each class. */
const KINDS = {
  classCounts: {
    one: 'count',
    code: 'class-count',
    missing:
      'Add it. A class without samples has no frequency: leave it out of the model, or give class weights of your own',
  },
  classWeights: { one: 'weight', code: 'class-weight', missing: 'Add it; 1 leaves a class as it is' },
  positiveWeights: { one: 'weight', code: 'class-weight', missing: 'Add it; 1 leaves a label as it is' },
} as const;

type Kind = keyof typeof KINDS;

/** Counts in the order of the model's scores. @throws LossgraftError as {@link inOrder} does. */
export function countsInOrder(counts: ClassCounts, names: ClassNames | undefined): readonly number[] {
  return inOrder(counts, names, 'classCounts');
}

/**
 * Numbers of classes in the order of the model's scores.
 *
 * @param names of the model's classes; `undefined` if unknown.
 * @throws LossgraftError `unknown-class` for a name that the model does not have, `class-count` or `class-weight` for a class without a
 * number.
 */
export function inOrder(counts: ClassCounts, names: ClassNames | undefined, kind: Kind): readonly number[] {
  if (isList(counts)) return counts;
  const given = Object.keys(counts);
  const byIndex = given.map((_, k) => counts[k]);
  if (!byIndex.includes(undefined)) return byIndex.map((count) => count ?? Number.NaN);
  if (names === undefined) throw unnamed(kind, given, byIndex.indexOf(undefined));
  const byName = new Map(Object.entries(counts).map(([name, count]) => [name.normalize('NFC'), count]));
  const known = names.names.map((name) => name.normalize('NFC'));
  const twice = known.find((name, k) => known.indexOf(name) !== k);
  if (twice !== undefined) throw ambiguous(kind, twice, names);
  const stray = [...byName.keys()].find((name) => !known.includes(name));
  if (stray !== undefined) throw unknownClass(kind, stray, names);
  const missing = known.find((name) => !byName.has(name));
  if (missing !== undefined) throw noNumber(kind, missing, names);
  return known.map((name) => byName.get(name) ?? Number.NaN);
}

function isList(counts: ClassCounts): counts is readonly number[] {
  return Array.isArray(counts);
}

function unnamed(kind: Kind, given: readonly string[], missing: number): LossgraftError {
  const isByIndex = given.every((name) => /^\d+$/.test(name));
  return new LossgraftError({
    code: 'unknown-class',
    where: `option ${kind}`,
    expected: `${KINDS[kind].one}s in the order of the model’s scores, since nothing tells what its classes are called`,
    found: `${KINDS[kind].one}s of ${given.slice(0, 8).join(', ')}${given.length > 8 ? ', …' : ''}`,
    hint: isByIndex
      ? `Add class ${missing}, which is missing`
      : 'Give a list in that order, or the index of each class in place of its name',
  });
}

function unknownClass(kind: Kind, name: string, { names, from }: ClassNames): LossgraftError {
  return new LossgraftError({
    code: 'unknown-class',
    where: `option ${kind}`,
    expected: `classes of the model, as ${from} names them`,
    found: JSON.stringify(name),
    hint: `Correct the name. The nearest is ${JSON.stringify(nearestNames(name, names)[0])}`,
  });
}

function ambiguous(kind: Kind, name: string, { from }: ClassNames): LossgraftError {
  return new LossgraftError({
    code: 'unknown-class',
    where: `option ${kind}`,
    expected: 'names that each stand for one class of the model',
    found: `${JSON.stringify(name)}, which ${from} names more than once`,
    hint: 'Give a list in the order of the model’s scores',
  });
}

function noNumber(kind: Kind, name: string, { from }: ClassNames): LossgraftError {
  return new LossgraftError({
    code: KINDS[kind].code,
    where: `option ${kind}`,
    expected: `a ${KINDS[kind].one} for every class of the model, as ${from} names them`,
    found: `none for ${JSON.stringify(name)}`,
    hint: KINDS[kind].missing,
  });
}
