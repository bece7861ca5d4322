import { LossgraftError } from './errors.ts';
import { isRecord } from './isRecord.ts';

/** Samples of each class: in the order of the model's scores, or by the names of its classes. */
export type ClassCounts = readonly number[] | Readonly<Record<string, number>>;

/** Whether counts are numbers, in a list or by name. */
export function isCounts(given: unknown): given is ClassCounts {
  if (!Array.isArray(given) && !isRecord(given)) return false;
  return Object.values(given).every((count) => typeof count === 'number');
}

/** @throws LossgraftError `class-count` naming a class whose count is not a whole number above 0. */
export function checkClassCounts(counts: readonly number[]): void {
  const bad = counts.findIndex((count) => !Number.isSafeInteger(count) || count <= 0);
  if (bad < 0 && counts.length > 0) return;
  throw new LossgraftError({
    code: 'class-count',
    where: bad < 0 ? 'class counts' : `class counts, class ${bad}`,
    expected: 'a whole number of samples above 0 for every class',
    found: bad < 0 ? 'no counts' : String(counts[bad]),
    hint: 'A class without samples has no frequency: leave it out of the model, or give class weights of your own',
  });
}

/** The weights divided by their mean. @throws LossgraftError `class-weight` naming a weight that is negative or not finite, or where all are 0. */
export function normalizeToMeanOne(weights: readonly number[]): readonly number[] {
  const bad = weights.findIndex((weight) => !Number.isFinite(weight) || weight < 0);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (bad < 0 && sum > 0) return weights.map((weight) => (weight * weights.length) / sum);
  throw new LossgraftError({
    code: 'class-weight',
    where: bad < 0 ? 'class weights' : `class weights, class ${bad}`,
    expected: bad < 0 ? 'a weight above 0 for some class' : 'a finite weight of 0 or more',
    found: bad < 0 ? 'none' : String(weights[bad]),
    hint: 'Give one weight for each class of the model',
  });
}
