import type { Scored } from './scored.ts';

/** Samples whose predicted class has a probability in (low, high]; the first bin also holds 0. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  readonly samples: number;
  /** The mean probability of the predicted class; `null` for an empty bin, as is the accuracy. */
  readonly confidence: number | null;
  readonly accuracy: number | null;
}

export const BINS = 15;

/** The accuracy by confidence, in bins of equal width: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. */
export function reliabilityOf(scored: Scored, weights?: ArrayLike<number>, bins: number = BINS): ReliabilityBin[] {
  const [samples, sure, right] = [new Float64Array(bins), new Float64Array(bins), new Float64Array(bins)];
  const { confidence, predicted, labels } = scored;
  for (let row = 0; row < confidence.length; row++) {
    const weight = weights === undefined ? 1 : (weights[row] ?? 0);
    const p = confidence[row] ?? Number.NaN;
    const bin = binOf(p, bins);
    samples[bin] = (samples[bin] ?? 0) + weight;
    sure[bin] = (sure[bin] ?? 0) + weight * p;
    if (labels[row] === predicted[row]) right[bin] = (right[bin] ?? 0) + weight;
  }
  return Array.from(samples, (n, bin) => ({
    low: boundOf(bin, bins),
    high: boundOf(bin + 1, bins),
    samples: n,
    confidence: n === 0 ? null : (sure[bin] ?? 0) / n,
    accuracy: n === 0 ? null : (right[bin] ?? 0) / n,
  }));
}

/** The bin of a value; a bound belongs to the bin below it. */
function binOf(value: number, bins: number): number {
  let bin = Number.isNaN(value) ? 0 : Math.min(bins - 1, Math.floor(value * bins));
  // The product is rounded, so the bounds themselves decide.
  while (bin > 0 && value <= boundOf(bin, bins)) bin--;
  while (bin < bins - 1 && value > boundOf(bin + 1, bins)) bin++;
  return bin;
}

/** Rounded like NumPy's linspace. */
function boundOf(bin: number, bins: number): number {
  return bin * (1 / bins);
}

/** The expected calibration error: |accuracy − confidence|, averaged over all samples. */
export function calibrationError(curve: readonly ReliabilityBin[]): number {
  const samples = curve.reduce((sum, bin) => sum + bin.samples, 0);
  return (
    curve.reduce((sum, bin) => sum + bin.samples * Math.abs((bin.accuracy ?? 0) - (bin.confidence ?? 0)), 0) / samples
  );
}

/** Smaller probabilities count as this one, as in scikit-learn, so that a single sample is not infinitely wrong. */
const LEAST: number = Number.EPSILON;

/** The mean of −log p of the true class, in nats. */
export function logLossOf({ truth }: Scored, weights?: ArrayLike<number>): number {
  let [sum, samples] = [0, 0];
  for (let row = 0; row < truth.length; row++) {
    const weight = weights === undefined ? 1 : (weights[row] ?? 0);
    if (weight === 0) continue;
    const p = truth[row] ?? Number.NaN;
    sum -= weight * Math.log(Number.isNaN(p) ? p : Math.min(1 - LEAST, Math.max(LEAST, p)));
    samples += weight;
  }
  return sum / samples;
}
