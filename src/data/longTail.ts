import { LossgraftError } from '../errors.ts';
import { random, shuffle } from './random.ts';
import { rowsByClass } from './split.ts';

export type ImbalanceType = 'exp' | 'step';

/**
 * Samples of each class in a long tail. `exp`: n_k = int(n_max · (1/ratio)^(k/(C−1))), Cui et al., CVPR 2019; `step`: n_max in the first
 * half of the classes, int(n_max / ratio) in the second, Buda et al., 2018.
 *
 * @throws LossgraftError `imbalance` for a ratio below 1, or if a class would have no sample.
 */
export function longTailCounts(max: number, classes: number, ratio: number, type: ImbalanceType): number[] {
  if (!(Number.isFinite(ratio) && ratio >= 1)) throw refusal('a ratio of 1 or more, such as 100', String(ratio));
  const share = (k: number): number => {
    if (type === 'step') return k < classes / 2 ? 1 : 1 / ratio;
    return classes === 1 ? 1 : (1 / ratio) ** (k / (classes - 1));
  };
  // Without this nudge 6000 · 0.01 would be 59.999… for some ratios.
  const counts = Array.from({ length: classes }, (_, k) => Math.floor(max * share(k) + 1e-9));
  const empty = counts.indexOf(0);
  if (empty < 0) return counts;
  throw refusal(
    `a ratio that leaves at least one sample per class (at most ${max})`,
    `${ratio}: class ${empty} would have none`,
  );
}

/**
 * The rows of a long tail cut from a balanced data set, ascending; n_max is the size of the smallest class.
 *
 * @throws LossgraftError `imbalance`
 */
export function longTailRows(
  labels: ArrayLike<bigint | number>,
  { ratio, type, seed }: { readonly ratio: number; readonly type: ImbalanceType; readonly seed: number },
): Uint32Array {
  const classes = rowsByClass(labels);
  const max = Math.min(...[...classes.values()].map((rows) => rows.length));
  const counts = longTailCounts(max, classes.size, ratio, type);
  const kept = [...classes].flatMap(([label, rows], k) => [
    ...shuffle(Uint32Array.from(rows), random(seed, label)).subarray(0, counts[k]),
  ]);
  return Uint32Array.from(kept).sort();
}

function refusal(expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'imbalance',
    where: 'option imbalance',
    expected,
    found,
    hint: 'Choose another ratio',
  });
}
