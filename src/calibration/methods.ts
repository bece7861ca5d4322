import { metricNamed } from '../metrics/metrics.ts';
import type { ScoreMethod } from '../records/calibration.ts';
import type { Affine } from '../tuned/head.ts';
import { type Fitted, fitBiases, fitTau, fitTemperature, type Goal, type Sample, unchanged } from './fit.ts';

/** How scores are to be mapped. */
export interface FitPlan {
  readonly method: ScoreMethod;
  /** Ignored for a temperature, which is fitted for the log loss. */
  readonly goal: Goal;
  /** For a logit adjustment; `undefined`: fitted. */
  readonly tau?: number | undefined;
  /** Samples of each class, by which logits are adjusted. */
  readonly counts: readonly number[];
}

/** The map of a method, fitted to samples. */
export function fitMethod(sample: Sample, { method, goal, tau, counts }: FitPlan): Fitted {
  if (method === 'temperature') return fitTemperature(sample);
  const shares = sharesOf(counts);
  const ones = unchanged(sample.classes);
  const adjusted = (each: number): Affine => ({ ...ones, offset: shares.map((share) => -each * Math.log(share)) });
  const found = fitTau(sample, goal, tau, adjusted);
  return method === 'biases' ? fitBiases(sample, goal, found) : found;
}

/** The goal by which a method's map is judged. */
export function metricOf(method: string, goal: string): Goal['metric'] {
  return method === 'temperature' ? 'logLoss' : metricNamed(goal);
}

export function countsOf({ labels, classes }: Sample): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** A class without samples counts as half a sample. */
function sharesOf(counts: readonly number[]): Float64Array {
  const held = counts.map((count) => Math.max(count, 0.5));
  const all = held.reduce((sum, count) => sum + count, 0);
  return Float64Array.from(held, (count) => count / all);
}

/** The map of z for one logit with scores (0, z). */
export function ofOneScore({ scale, offset }: Affine): Affine {
  return { scale: scale.slice(1), offset: Float64Array.of((offset[1] ?? 0) - (offset[0] ?? 0)) };
}
