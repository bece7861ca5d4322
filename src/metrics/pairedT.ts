/** Differences of pairs, by Student's t. */
export interface PairedT {
  readonly mean: number;
  /** With n − 1. */
  readonly sd: number;
  /** A 95 % interval of the mean. */
  readonly low: number;
  readonly high: number;
  /** The two-sided p-value for a mean difference of 0. */
  readonly p: number;
}

/** `null` for fewer than two differences. */
export function pairedT(differences: readonly number[]): PairedT | null {
  const n = differences.length;
  if (n < 2) return null;
  const { mean, sd } = spreadOf(differences);
  const error = sd / Math.sqrt(n);
  if (error === 0) return { mean, sd, low: mean, high: mean, p: mean === 0 ? 1 : 0 };
  const margin = quantile(0.95, n - 1) * error;
  return { mean, sd, low: mean - margin, high: mean + margin, p: 1 - within(Math.abs(mean) / error, n - 1) };
}

/** The mean, and the standard deviation with n − 1; 0 for one value. */
export function spreadOf(values: readonly number[]): { readonly mean: number; readonly sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

/** P(−t ≤ T ≤ t) of Student's distribution with whole degrees of freedom: Abramowitz and Stegun, 26.7.3 and 26.7.4. */
function within(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? cos : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let k = isOdd ? 3 : 2; k < freedom; k += 2) {
    term *= ((k - 1) / k) * cos ** 2;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + sin * sum) : sin * sum;
}

/** The t that bounds a given share. */
function quantile(share: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (within(high, freedom) < share) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (within(middle, freedom) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
