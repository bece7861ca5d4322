/** Samples by a score: rank 0 is the highest score, and equal scores share a rank. */
export interface Ranks {
  /** Of each sample. */
  readonly ranks: Uint32Array;
  /** How many there are. */
  readonly count: number;
}

/** Scores that are NaN have no order: `count` is then 0. */
export function ranksOf(scores: Float64Array): Ranks {
  const sorted = Float64Array.from(scores).sort();
  if (Number.isNaN(sorted.at(-1) ?? 0)) return { ranks: new Uint32Array(scores.length), count: 0 };
  let count = 0;
  for (const score of sorted) if (count === 0 || score !== sorted[count - 1]) sorted[count++] = score;
  const distinct = sorted.subarray(0, count);
  return { ranks: Uint32Array.from(scores, (score) => count - 1 - indexOf(distinct, score)), count };
}

/** Of a value that is in an ascending array. */
function indexOf(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One class against all others: how much weight of each kind there is at every rank. */
export interface Divided {
  readonly positive: Float64Array;
  readonly negative: Float64Array;
  readonly positives: number;
  readonly negatives: number;
}

/** What has the label is positive. Without weights each sample counts once. */
export function divide(
  { ranks, count }: Ranks,
  labels: Int32Array,
  k: number,
  weights: ArrayLike<number> | undefined,
): Divided {
  const [positive, negative] = [new Float64Array(count), new Float64Array(count)];
  let [positives, negatives] = [0, 0];
  for (const [row, rank] of ranks.entries()) {
    const weight = weights?.[row] ?? 1;
    const isPositive = labels[row] === k;
    const side = isPositive ? positive : negative;
    side[rank] = (side[rank] ?? 0) + weight;
    if (isPositive) positives += weight;
    else negatives += weight;
  }
  return { positive, negative, positives, negatives };
}

/**
 * Σ (R_n − R_{n−1}) · P_n over the thresholds from the highest score down, without interpolation. `null` without positives: no ranking is
 * good or bad then.
 */
export function averagePrecision({ positive, negative, positives, negatives }: Divided): number | null {
  if (positives === 0) return null;
  if (positive.length === 0 && negatives + positives > 0) return Number.NaN;
  let [hits, taken, sum] = [0, 0, 0];
  for (const [rank, weight] of positive.entries()) {
    hits += weight;
    taken += weight + (negative[rank] ?? 0);
    if (weight > 0) sum += (weight / positives) * (hits / taken);
  }
  return sum;
}

/** The share of pairs of a positive and a negative in which the positive has the higher score; equal ones count half. `null` without pairs. */
export function rocAuc({ positive, negative, positives, negatives }: Divided): number | null {
  if (positives === 0 || negatives === 0) return null;
  if (positive.length === 0) return Number.NaN;
  let [below, won] = [negatives, 0];
  for (const [rank, weight] of positive.entries()) {
    const same = negative[rank] ?? 0;
    below -= same;
    won += weight * (below + same / 2);
  }
  return won / positives / negatives;
}
