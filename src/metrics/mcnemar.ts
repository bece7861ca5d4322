import type { AnyScored } from './scored.ts';

/** Samples that one of two models gets right and the other wrong. */
export interface McNemar {
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** The probability of a division at least this uneven if both models are right equally often. */
  readonly p: number;
}

/**
 * McNemar's exact test of two models' accuracy on the same samples (1947): the samples that only one gets right are split as by a fair
 * coin.
 */
export function mcNemar(first: AnyScored, second: AnyScored): McNemar {
  let [onlyFirst, onlySecond] = [0, 0];
  for (let row = 0; row < first.size; row++) {
    const [a, b] = [first.isRight(row), second.isRight(row)];
    if (a && !b) onlyFirst++;
    if (b && !a) onlySecond++;
  }
  return { onlyFirst, onlySecond, p: coinTest(onlyFirst, onlySecond) };
}

/** Two-sided: 2 · Σ_{i ≤ min} C(n, i) / 2ⁿ, at most 1. */
export function coinTest(heads: number, tails: number): number {
  const [few, n] = [Math.min(heads, tails), heads + tails];
  let log = -n * Math.LN2;
  for (let i = 1; i <= few; i++) log += Math.log((n - few + i) / i);
  let [sum, share] = [0, 1];
  // From the largest term down, each from its ratio to the previous one.
  for (let i = few; i >= 0 && share > 1e-20; i--) {
    sum += share;
    share *= i / (n - i + 1);
  }
  return Math.min(1, 2 * Math.exp(log + Math.log(sum)));
}
