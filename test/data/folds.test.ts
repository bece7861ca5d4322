import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crossSplits } from '../../src/data/folds.ts';
import { ROOT } from '../support/cli.ts';

interface Case {
  readonly counts: readonly number[];
  readonly folds: number;
  /** Samples of each class in each fold of scikit-learn's StratifiedKFold. */
  readonly held: readonly (readonly number[])[];
}

const SKLEARN: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/sampling/folds.json'), 'utf8'),
);
const labelsOf = (counts: readonly number[]) => counts.flatMap((count, k) => Array<number>(count).fill(k));

describe('stratified folds', () => {
  it.each(SKLEARN.cases.map((one) => [one.counts.join(', '), one.folds, one] as const))(
    'of %s samples in %i folds hold as many of each class as those of scikit-learn',
    (_, folds, { counts, held }) => {
      const labels = labelsOf(counts);
      const splits = crossSplits(labels, folds, 3);
      expect(splits.flatMap(({ validation }) => [...validation]).sort((a, b) => a - b)).toEqual([...labels.keys()]);
      for (const [k] of counts.entries()) {
        const own = splits.map(({ validation }) => validation.filter((row) => labels[row] === k).length);
        expect(own.sort()).toEqual(held.map((fold) => fold[k] ?? 0).sort());
      }
      for (const { train, validation } of splits) {
        const all = [...train, ...validation].sort((a, b) => a - b);
        expect(all).toEqual([...labels.keys()]);
        expect([...train]).toEqual([...train].sort((a, b) => a - b));
      }
    },
  );

  it('leave a class with one sample in training, and are a function of the seed', () => {
    const labels = labelsOf([9, 1, 2]);
    const splits = crossSplits(labels, 3, 0);
    expect(splits.flatMap(({ validation }) => [...validation])).not.toContain(9);
    for (const { train } of splits) expect([...train].filter((row) => row >= 10).length).toBeGreaterThan(0);
    expect(crossSplits(labels, 3, 0)).toEqual(splits);
    expect(crossSplits(labels, 3, 1)).not.toEqual(splits);
  });
});
