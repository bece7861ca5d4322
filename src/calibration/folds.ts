import { random, shuffle } from '../data/random.ts';
import { rowsByClass } from '../data/split.ts';
import type { Sample } from './fit.ts';

/** The fold of each sample: every class is dealt out to all of them. The same seed gives the same folds. */
export function foldsOf(labels: Int32Array, folds: number, seed: number): Uint32Array {
  const fold = new Uint32Array(labels.length);
  let next = 0;
  for (const [label, rows] of rowsByClass(labels)) {
    for (const row of shuffle(Uint32Array.from(rows), random(seed, label, FOLDS))) fold[row] = next++ % folds;
  }
  return fold;
}

/** Keeps these draws apart from others of the same seed. */
const FOLDS = 11;

/** Some rows of a sample. */
export function pickRows({ logits, labels, classes }: Sample, rows: readonly number[]): Sample {
  const picked = new Float64Array(rows.length * classes);
  for (const [i, row] of rows.entries()) picked.set(logits.subarray(row * classes, (row + 1) * classes), i * classes);
  return { logits: picked, labels: Int32Array.from(rows, (row) => labels[row] ?? 0), classes };
}
