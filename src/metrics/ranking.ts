/** Samples from the highest score down. */
export interface Ranking {
  readonly rows: Uint32Array;
  /** 1 for the last of equal scores, 0 for the others. */
  readonly ends: Uint8Array;
}

/** @returns `null` if a score is NaN, which has no order. */
export function rankingOf(scores: Float64Array): Ranking | null {
  const size = scores.length;
  const sorted = Float64Array.from(scores).sort();
  if (Number.isNaN(sorted[size - 1] ?? 0)) return null;
  let count = 0;
  for (let i = 0; i < size; i++) {
    const score = sorted[i] ?? 0;
    if (count === 0 || score !== sorted[count - 1]) sorted[count++] = score;
  }
  const distinct = sorted.subarray(0, count);
  const ranks = new Uint32Array(size);
  for (let row = 0; row < size; row++) ranks[row] = count - 1 - indexOf(distinct, scores[row] ?? 0);
  return byRank(ranks, count);
}

/** A counting sort. */
function byRank(ranks: Uint32Array, count: number): Ranking {
  const next = new Uint32Array(count + 1);
  for (let row = 0; row < ranks.length; row++) {
    const after = (ranks[row] ?? 0) + 1;
    next[after] = (next[after] ?? 0) + 1;
  }
  const ends = new Uint8Array(ranks.length);
  for (let rank = 1; rank <= count; rank++) {
    const end = (next[rank] ?? 0) + (next[rank - 1] ?? 0);
    next[rank] = end;
    ends[end - 1] = 1;
  }
  const rows = new Uint32Array(ranks.length);
  for (let row = 0; row < ranks.length; row++) {
    const rank = ranks[row] ?? 0;
    const at = next[rank] ?? 0;
    rows[at] = row;
    next[rank] = at + 1;
  }
  return { rows, ends };
}

/** The index of a value in an ascending array. */
function indexOf(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A class against all others: samples that have it are positive. */
export interface Areas {
  /**
   * Σ (R_n − R_{n−1}) · P_n over the thresholds from the highest score down, without interpolation. `null` without positives: then no
   * ranking is good or bad.
   */
  readonly averagePrecision: number | null;
  /** The share of pairs of a positive and a negative in which the positive is higher; ties count half. `null` without pairs. */
  readonly rocAuc: number | null;
}

/**
 * @param isPositive 1 for the samples that have the class.
 * @param weights how often each sample counts; default once.
 */
export function areasOf(
  { rows, ends }: Ranking,
  isPositive: ArrayLike<number>,
  { positives, negatives, weights }: { positives: number; negatives: number; weights: ArrayLike<number> | undefined },
): Areas {
  let [hits, taken, precisions, below, won] = [0, 0, 0, negatives, 0];
  let [positive, negative] = [0, 0];
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0;
    const weight = weights === undefined ? 1 : (weights[row] ?? 0);
    if (isPositive[row]) positive += weight;
    else negative += weight;
    if (ends[i] === 0) continue;
    hits += positive;
    taken += positive + negative;
    below -= negative;
    if (positive > 0) {
      precisions += positive * (hits / taken);
      won += positive * (below + negative / 2);
    }
    positive = 0;
    negative = 0;
  }
  return {
    averagePrecision: positives === 0 ? null : precisions / positives,
    rocAuc: positives === 0 || negatives === 0 ? null : won / positives / negatives,
  };
}
