import type { AnyScored } from './scored.ts';

/** Counts if a class is predicted whenever its probability is at least the threshold. */
export interface ThresholdCounts {
  readonly threshold: number;
  /** Correctly predicted samples of the class. */
  readonly hits: number;
  /** All samples that are predicted as the class. */
  readonly taken: number;
}

/** Precision and recall at a threshold. */
export interface CurvePoint {
  readonly threshold: number;
  readonly precision: number;
  readonly recall: number;
}

/** A precision-recall curve of a class against all others. */
export interface PrecisionRecallCurve {
  readonly class: number;
  /** From the highest threshold down; at most {@link MAX_POINTS}. */
  readonly points: readonly CurvePoint[];
}

/** Longer curves keep only points at evenly spaced recalls. */
export const MAX_POINTS = 64;

/** Every distinct threshold, the highest first, as in scikit-learn's `precision_recall_curve`; `null` if nothing is ranked. */
export function thresholdsOf(scored: AnyScored, k: number): ThresholdCounts[] | null {
  const ranking = scored.ranking(k);
  const { probabilities, classes } = scored;
  const has = scored.having(k);
  if (ranking === null || probabilities === null) return null;
  const found: ThresholdCounts[] = [];
  let hits = 0;
  for (const [i, row] of ranking.rows.entries()) {
    hits += has[row] ?? 0;
    if (ranking.ends[i] === 1) found.push({ threshold: probabilities[row * classes + k] ?? 0, hits, taken: i + 1 });
  }
  return found;
}

/** The curve of a class; `null` if it has no samples, or nothing is ranked. */
export function precisionRecallCurve(scored: AnyScored, k: number): PrecisionRecallCurve | null {
  const all = thresholdsOf(scored, k);
  const positives = all?.at(-1)?.hits ?? 0;
  if (all === null || positives === 0) return null;
  const points = all.map(({ threshold, hits, taken }) => ({
    threshold,
    precision: hits / taken,
    recall: hits / positives,
  }));
  return { class: k, points: thinned(points) };
}

/** For each of evenly spaced recalls the first point that reaches it, which has the highest precision there. */
function thinned(points: readonly CurvePoint[]): CurvePoint[] {
  if (points.length <= MAX_POINTS) return [...points];
  const steps = MAX_POINTS - 2;
  const kept = points.filter(({ recall }, i) => {
    const before = points[i - 1]?.recall ?? 0;
    return i === 0 || Math.floor(recall * steps) > Math.floor(before * steps);
  });
  const last = points.at(-1);
  return last && kept.at(-1) !== last ? [...kept, last] : kept;
}

/** A class predicted by a threshold of its own, compared with the model's own prediction: precision, recall, F1. */
export interface OperatingPoint {
  readonly class: number;
  /** The class is predicted if its probability is at least this. */
  readonly threshold: number;
  /** At the threshold. */
  readonly at: ClassFigures;
  /** With the model's own rule, the highest probability. */
  readonly own: ClassFigures;
  /** F1 at the threshold minus F1 of the model's own rule, with a 95 % interval. */
  readonly gain: { readonly difference: number; readonly low: number; readonly high: number };
}

export interface ClassFigures {
  /** `null` if nothing is predicted as the class. */
  readonly precision: number | null;
  readonly recall: number;
  readonly f1: number;
}

/** The threshold with the highest F1, the highest of equals; `null` for a class without samples, or if nothing is ranked. */
export function bestThreshold(scored: AnyScored, k: number): number | null {
  const all = thresholdsOf(scored, k);
  const positives = all?.at(-1)?.hits ?? 0;
  if (all === null || positives === 0) return null;
  let best: { readonly threshold: number; readonly f1: number } | undefined;
  for (const { threshold, hits, taken } of all) {
    const f1 = (2 * hits) / (positives + taken);
    if (best === undefined || f1 > best.f1) best = { threshold, f1 };
  }
  return best?.threshold ?? null;
}

/** The results of a threshold on samples; `null` for a class without samples, or if nothing is ranked. */
export function operatingPoint(scored: AnyScored, k: number, threshold: number): OperatingPoint | null {
  const { probabilities, classes } = scored;
  const truth = Int32Array.from(scored.having(k));
  if (probabilities === null || !truth.includes(1)) return null;
  const byRule = truth.map((_, row) => ((probabilities[row * classes + k] ?? 0) >= threshold ? 1 : 0));
  const byModel = Int32Array.from(scored.taking(k));
  return {
    class: k,
    threshold,
    at: figuresOf(truth, byRule),
    own: figuresOf(truth, byModel),
    gain: differenceOf(truth, byModel, byRule),
  };
}

type Marks = Int32Array;

function figuresOf(truth: Marks, taken: Marks): ClassFigures {
  const [positives, chosen] = [sum(truth), sum(taken)];
  const hits = truth.reduce((n, is, row) => n + is * (taken[row] ?? 0), 0);
  return {
    precision: chosen === 0 ? null : hits / chosen,
    recall: hits / positives,
    f1: (2 * hits) / (positives + chosen),
  };
}

/** The standard error is that of the paired difference, by the delta method: F1 = 2 · hits / (positives + taken). */
function differenceOf(truth: Marks, first: Marks, second: Marks): OperatingPoint['gain'] {
  const [a, b] = [first, second].map((taken) => ({
    taken,
    size: sum(truth) + sum(taken),
    f1: figuresOf(truth, taken).f1,
  }));
  if (!a || !b) throw new RangeError('two rules are compared');
  const pull = ({ taken, size, f1 }: typeof a, row: number): number => {
    const [is, chosen] = [truth[row] ?? 0, taken[row] ?? 0];
    return (2 * is * chosen - f1 * (is + chosen)) / size;
  };
  const variance = truth.reduce((total, _, row) => total + (pull(b, row) - pull(a, row)) ** 2, 0);
  const [difference, reach] = [b.f1 - a.f1, NORMAL_95 * Math.sqrt(variance)];
  return { difference, low: difference - reach, high: difference + reach };
}

/** 95 % of a normal distribution lie within this many standard errors. */
const NORMAL_95 = 1.96;

function sum(marks: Marks): number {
  return marks.reduce((total, mark) => total + mark, 0);
}
