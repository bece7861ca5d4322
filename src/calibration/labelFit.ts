import { Labelled, sigmoidsInto } from '../metrics/labelled.ts';
import type { MetricName } from '../metrics/metrics.ts';
import type { Affine } from '../tuned/head.ts';
import { type Fitted, fitTemperature, unchanged } from './fit.ts';

/** Logits and labels of samples that may have several, [N, C] in rows. */
export interface LabelSample {
  readonly logits: Float64Array;
  /** 1 for a label that a sample has. */
  readonly hot: Uint8Array;
  readonly classes: number;
  /** The probability above which each label is predicted. */
  readonly thresholds: readonly number[];
}

/** What each label's map is fitted for. */
export type LabelGoal = Extract<MetricName, 'macroF1' | 'balancedAccuracy'>;

export interface LabelPlan {
  readonly method: 'biases' | 'temperature' | 'logit-adjustment';
  readonly goal: LabelGoal;
  /** Of a logit adjustment; `undefined`: fitted. */
  readonly tau?: number | undefined;
  /** Samples with each label, and in all, by which logits are adjusted. */
  readonly counts: readonly number[];
  readonly total: number;
}

/** The map of a method, a scale and an offset for each label, fitted to samples. */
export function fitLabels(sample: LabelSample, plan: LabelPlan): Fitted {
  if (plan.method === 'temperature') return temperatures(sample);
  if (plan.method === 'biases')
    return { ...unchanged(sample.classes), offset: shifts(sample, plan.goal), parameter: null };
  return adjusted(sample, plan);
}

/** Each label's own temperature, with the least binary cross-entropy: the softmax of (0, z / T) is the sigmoid. */
function temperatures(sample: LabelSample): Fitted {
  const scale = Float64Array.from({ length: sample.classes }, (_, k) => {
    const { scores, has } = labelOf(sample, k);
    if (!has.includes(1) || !has.includes(0)) return 1;
    const logits = Float64Array.from({ length: 2 * has.length }, (_, i) =>
      i % 2 === 0 ? 0 : (scores[(i - 1) / 2] ?? 0),
    );
    return fitTemperature({ logits, labels: Int32Array.from(has), classes: 2 }).scale[0] ?? 1;
  });
  return { scale, offset: new Float64Array(sample.classes), parameter: null };
}

/**
 * For each label, how far its logit moves so that its threshold lies where the goal is best on these samples: half-way between two of them,
 * and as near as possible to its old place. A label that no sample has, or all have, stays.
 */
function shifts(sample: LabelSample, goal: LabelGoal): Float64Array {
  return Float64Array.from({ length: sample.classes }, (_, k) => {
    const { scores, has, cut } = labelOf(sample, k);
    const positives = has.reduce((sum, own) => sum + own, 0);
    if (positives === 0 || positives === has.length) return 0;
    const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
    let [taken, hits, best, place] = [0, 0, figureOf(goal, countsAt(scores, has, cut)), cut];
    for (const [i, row] of order.entries()) {
      taken++;
      hits += has[row] ?? 0;
      const [here, next] = [scores[row] ?? 0, scores[order[i + 1] ?? -1] ?? Number.NEGATIVE_INFINITY];
      if (next === here) continue;
      const between = next === Number.NEGATIVE_INFINITY ? here - 1 : (here + next) / 2;
      const figure = figureOf(goal, { taken, hits, positives, all: has.length });
      const isNearer = Math.abs(between - cut) < Math.abs(place - cut);
      if (figure > best + 1e-12 || (Math.abs(figure - best) <= 1e-12 && isNearer)) [best, place] = [figure, between];
    }
    return cut - place;
  });
}

interface Counts {
  readonly taken: number;
  readonly hits: number;
  readonly positives: number;
  readonly all: number;
}

function countsAt(scores: Float64Array, has: Uint8Array, cut: number): Counts {
  let [taken, hits] = [0, 0];
  for (const [row, z] of scores.entries()) {
    if (z < cut) continue;
    taken++;
    hits += has[row] ?? 0;
  }
  return { taken, hits, positives: has.reduce((sum, own) => sum + own, 0), all: has.length };
}

/** The score of one label: its F1, or the mean of the recalls of samples with and without it. */
function figureOf(goal: LabelGoal, { taken, hits, positives, all }: Counts): number {
  if (goal === 'macroF1') return (2 * hits) / Math.max(1, taken + positives);
  const others = all - positives;
  return (hits / positives + (others - (taken - hits)) / others) / 2;
}

const TAUS: readonly number[] = Array.from({ length: 41 }, (_, i) => i / 20);

/** z − τ · log(π / (1 − π)): the adjustment of a softmax over (0, z). The τ with the best mean over labels, of equal ones the smallest. */
function adjusted(sample: LabelSample, { goal, tau, counts, total }: LabelPlan): Fitted {
  const odds = counts.map((n) => Math.log(Math.max(n, 0.5) / Math.max(total - n, 0.5)));
  const labels = odds.map((_, k) => labelOf(sample, k));
  const told = labels.flatMap(({ has }, k) => (has.includes(1) && has.includes(0) ? [k] : []));
  let best: { readonly tau: number; readonly figure: number } | undefined;
  for (const each of tau === undefined ? TAUS : [tau]) {
    const figures = told.map((k) => {
      const { scores, has, cut } = labels[k] ?? labelOf(sample, k);
      return figureOf(goal, countsAt(scores, has, cut + each * (odds[k] ?? 0)));
    });
    const figure = figures.reduce((sum, one) => sum + one, 0) / Math.max(1, told.length);
    if (best === undefined || figure > best.figure + 1e-12) best = { tau: each, figure };
  }
  const found = best?.tau ?? 0;
  const offset = Float64Array.from(odds, (odd) => (found === 0 ? 0 : -found * odd));
  return { scale: unchanged(sample.classes).scale, offset, parameter: found };
}

/** A label's logits, which samples have it, and the logit above which it is predicted. */
function labelOf({ logits, hot, classes, thresholds }: LabelSample, k: number) {
  const size = logits.length / classes;
  const threshold = thresholds[k] ?? 0.5;
  return {
    scores: Float64Array.from({ length: size }, (_, row) => logits[row * classes + k] ?? Number.NaN),
    has: Uint8Array.from({ length: size }, (_, row) => hot[row * classes + k] ?? 0),
    cut: Math.log(threshold / (1 - threshold)),
  };
}

/** What a map makes of samples, predicted at their thresholds. */
export function labelledBy({ logits, hot, classes, thresholds }: LabelSample, { scale, offset }: Affine): Labelled {
  const probabilities = new Float64Array(logits.length);
  const mapped = logits.map((z, i) => (scale[i % classes] ?? 1) * z + (offset[i % classes] ?? 0));
  for (let start = 0; start < mapped.length; start += classes)
    sigmoidsInto(probabilities.subarray(start, start + classes), mapped, start);
  return Labelled.of({ labels: hot, probabilities, classes, thresholds });
}

export function pickLabelRows(sample: LabelSample, rows: readonly number[]): LabelSample {
  const { classes } = sample;
  const logits = new Float64Array(rows.length * classes);
  const hot = new Uint8Array(rows.length * classes);
  for (const [i, row] of rows.entries()) {
    logits.set(sample.logits.subarray(row * classes, (row + 1) * classes), i * classes);
    hot.set(sample.hot.subarray(row * classes, (row + 1) * classes), i * classes);
  }
  return { ...sample, logits, hot };
}
