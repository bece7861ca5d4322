import { LossgraftError } from '../errors.ts';
import { DEFAULT_THRESHOLD, type Labelled } from './labelled.ts';
import type { Ranking } from './ranking.ts';

/**
 * For each label the probability threshold with the highest F1 on these samples: halfway between two of them, and the nearest to 0.5
 * among equals. It stays 0.5 if no sample has the label.
 *
 * @param rows to use. Default: all.
 */
export function tuneThresholds(scored: Labelled, rows?: Uint8Array): number[] {
  return Array.from({ length: scored.classes }, (_, k) => {
    const ranking = scored.ranking(k);
    return ranking === null ? DEFAULT_THRESHOLD : bestThreshold(scored, ranking, k, rows);
  });
}

function bestThreshold(
  scored: Labelled,
  { rows: order, ends }: Ranking,
  k: number,
  among: Uint8Array | undefined,
): number {
  const has = scored.having(k);
  const isAmong = (row: number): boolean => among === undefined || among[row] === 1;
  const positives = order.reduce((sum, row) => sum + (isAmong(row) ? (has[row] ?? 0) : 0), 0);
  if (positives === 0) return DEFAULT_THRESHOLD;
  const at = (row: number): number => scored.probabilities?.[row * scored.classes + k] ?? Number.NaN;
  let [hits, taken, best, threshold] = [0, 0, -1, DEFAULT_THRESHOLD];
  for (const [i, row] of order.entries()) {
    if (isAmong(row)) {
      taken++;
      hits += has[row] ?? 0;
    }
    if (ends[i] !== 1 || taken === 0) continue;
    const f1 = (2 * hits) / (taken + positives);
    const next = i + 1 < order.length ? at(order[i + 1] ?? 0) : 0;
    const here = halfWay(next, at(row));
    const isNearer = Math.abs(here - DEFAULT_THRESHOLD) < Math.abs(threshold - DEFAULT_THRESHOLD);
    if (f1 > best || (f1 === best && isNearer)) [best, threshold] = [f1, here];
  }
  return threshold;
}

/** A threshold between two probabilities, excluding the lower: 0.5 if it lies between them. */
function halfWay(low: number, high: number): number {
  if (low < DEFAULT_THRESHOLD && DEFAULT_THRESHOLD <= high) return DEFAULT_THRESHOLD;
  const middle = (low + high) / 2;
  return middle > low ? middle : high;
}

/** How probabilities become predictions: at given thresholds, or at thresholds tuned to the data. */
export type ThresholdPolicy = readonly number[] | 'tune';

/**
 * The same probabilities, predicted by a policy. Tuned thresholds are judged fairly: each half of the samples is predicted at the
 * thresholds of the other half, so that none is judged by the samples it was tuned on.
 *
 * @returns also the thresholds of all samples, for use from now on.
 */
export function applyThresholds(scored: Labelled, policy: ThresholdPolicy): Labelled {
  const isDefault = policy !== 'tune' && policy.every((threshold) => threshold === DEFAULT_THRESHOLD);
  if (isDefault) return scored;
  if (scored.probabilities === null) throw tooMany(scored);
  if (policy !== 'tune') return scored.chosenBy((_, k) => policy[k] ?? DEFAULT_THRESHOLD, policy);
  const half = halves(scored.strata);
  const other = half.map((side) => 1 - side);
  const tuned = [tuneThresholds(scored, half), tuneThresholds(scored, other)];
  // Samples of half 0 are predicted at the thresholds of half 1, and vice versa.
  return scored.chosenBy((row, k) => tuned[half[row] ?? 0]?.[k] ?? DEFAULT_THRESHOLD, tuneThresholds(scored));
}

function tooMany({ size, classes }: Labelled): LossgraftError {
  return new LossgraftError({
    code: 'threshold',
    where: 'option threshold',
    expected: 'no more probabilities than are kept',
    found: `${size} samples of ${classes} labels`,
    hint: 'Take fewer samples, or leave the thresholds at 0.5',
  });
}

/** Every other sample of each stratum. */
function halves(strata: Int32Array): Uint8Array {
  const seen = new Map<number, number>();
  return Uint8Array.from(strata, (stratum) => {
    const count = seen.get(stratum) ?? 0;
    seen.set(stratum, count + 1);
    return count % 2;
  });
}
