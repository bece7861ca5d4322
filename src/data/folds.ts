import { random, shuffle } from './random.ts';
import { rowsByClass, type Split } from './split.ts';

/** The fold of each sample; every class is spread over all folds. The same seed gives the same folds. */
export function foldsOf(labels: ArrayLike<bigint | number>, folds: number, seed: number): Uint32Array {
  const fold = new Uint32Array(labels.length);
  let next = 0;
  for (const [label, rows] of rowsByClass(labels)) {
    for (const row of shuffle(Uint32Array.from(rows), random(seed, label, FOLDS))) fold[row] = next++ % folds;
  }
  return fold;
}

/** Separates these draws from others with the same seed. */
const FOLDS = 11;

/**
 * Rows divided for cross-validation: each fold is validated once, by a model trained on the others. A class with a single sample stays in
 * training. Rows are ascending in each part.
 */
export function crossSplits(labels: ArrayLike<bigint | number>, folds: number, seed: number): Split[] {
  const fold = foldsOf(labels, folds, seed);
  const single = new Set([...rowsByClass(labels).values()].flatMap((rows) => (rows.length === 1 ? rows : [])));
  return Array.from({ length: folds }, (_, k) => {
    const isHeld = (row: number): boolean => fold[row] === k && !single.has(row);
    const rows = [...fold.keys()];
    return {
      train: Uint32Array.from(rows.filter((row) => !isHeld(row))),
      validation: Uint32Array.from(rows.filter(isHeld)),
    };
  });
}
