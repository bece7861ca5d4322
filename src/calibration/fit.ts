import type { CostMatrix } from '../data/costMatrix.ts';
import { judged, METRICS, type MetricName } from '../metrics/metrics.ts';
import { argmaxRows, Scored } from '../metrics/scored.ts';
import type { Affine } from '../tuned/head.ts';

/** Logits of labelled samples, [N, C] in rows. */
export interface Sample {
  readonly logits: Float64Array;
  readonly labels: Int32Array;
  readonly classes: number;
}

/** An affine map and the single number it was made from. */
export interface Fitted extends Affine {
  readonly parameter: number | null;
}

/** What is to be better. */
export interface Goal {
  readonly metric: MetricName;
  readonly costs: CostMatrix | undefined;
}

export function unchanged(classes: number): Affine {
  return { scale: new Float64Array(classes).fill(1), offset: new Float64Array(classes) };
}

export function apply({ logits, classes }: Sample, { scale, offset }: Affine): Float64Array {
  return logits.map((z, i) => (scale[i % classes] ?? 1) * z + (offset[i % classes] ?? 0));
}

/** The goal's value for some predictions; larger is better. */
export function figureOf({ labels, classes }: Sample, predicted: Int32Array, { metric, costs }: Goal): number {
  const none = new Float64Array();
  const scored = new Scored({ labels, classes, predicted, confidence: none, truth: none, probabilities: null });
  const figure = METRICS[metric].of(judged(scored, costs === undefined ? {} : { costs })) ?? Number.NEGATIVE_INFINITY;
  return METRICS[metric].better === 'higher' ? figure : -figure;
}

const STEPS = 60;

/**
 * The temperature with the least log loss (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017): the loss is convex in β =
 * 1/T, and Newton steps that increase the loss are halved.
 */
export function fitTemperature(sample: Sample): Fitted {
  let beta = 1;
  let here = slopeAt(sample, beta);
  for (let step = 0; step < STEPS && Math.abs(here.slope) > 1e-12; step++) {
    let move = here.curve > 0 ? -here.slope / here.curve : -Math.sign(here.slope);
    let next = slopeAt(sample, Math.max(beta + move, beta / 10));
    while (next.loss > here.loss && Math.abs(move) > 1e-15) {
      move /= 2;
      next = slopeAt(sample, Math.max(beta + move, beta / 10));
    }
    if (next.loss > here.loss || next.beta === beta || next.beta > MAX_BETA) break;
    beta = next.beta;
    here = next;
  }
  return {
    scale: new Float64Array(sample.classes).fill(beta),
    offset: new Float64Array(sample.classes),
    parameter: 1 / beta,
  };
}

/** If all samples are right, no temperature is low enough. */
const MAX_BETA = 100;

/** The mean log loss of softmax(β z), with its first and second derivatives with respect to β. */
function slopeAt({ logits, labels, classes }: Sample, beta: number) {
  let [loss, slope, curve] = [0, 0, 0];
  for (const [row, label] of labels.entries()) {
    const z = logits.subarray(row * classes, (row + 1) * classes);
    const max = z.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    let [sum, first, second] = [0, 0, 0];
    for (const value of z) {
      const weight = Math.exp(beta * (value - max));
      if (weight === 0) continue;
      sum += weight;
      first += weight * (value - max);
      second += weight * (value - max) ** 2;
    }
    const [mean, own] = [first / sum, (z[label] ?? 0) - max];
    loss += Math.log(sum) - beta * own;
    slope += mean - own;
    curve += second / sum - mean ** 2;
  }
  const n = labels.length;
  return { beta, loss: loss / n, slope: slope / n, curve: curve / n };
}

const TAUS: readonly number[] = Array.from({ length: 41 }, (_, i) => i / 20);

/** The τ with the best value, the smallest of equals; `with` makes the map. */
export function fitTau(sample: Sample, goal: Goal, tau: number | undefined, make: (tau: number) => Affine): Fitted {
  const taus = tau === undefined ? TAUS : [tau];
  let best: { readonly tau: number; readonly figure: number } | undefined;
  for (const each of taus) {
    const predicted = argmaxRows(apply(sample, make(each)), sample.labels.length, sample.classes);
    const figure = figureOf(sample, predicted, goal);
    if (best === undefined || figure > best.figure + 1e-12) best = { tau: each, figure };
  }
  const found = best?.tau ?? 0;
  return { ...make(found), parameter: found };
}

const PASSES = 5;
const CANDIDATES = 64;

/** A bias for each class in turn, as long as the value improves: every bias at which predictions change is tried. */
export function fitBiases(sample: Sample, goal: Goal, start: Affine): Fitted {
  const { labels, classes } = sample;
  const offset = Float64Array.from(start.offset);
  let best = figureOf(sample, argmaxRows(apply(sample, { ...start, offset }), labels.length, classes), goal);
  for (let pass = 0; pass < PASSES; pass++) {
    const before = best;
    for (let k = 0; k < classes; k++) {
      const { others, needed } = rivals(sample, offset, k);
      for (const candidate of candidatesOf(needed)) {
        const predicted = others.map((other, row) => (candidate > (needed[row] ?? 0) ? k : other));
        const figure = figureOf(sample, predicted, goal);
        if (figure <= best + 1e-12) continue;
        best = figure;
        offset[k] = candidate;
      }
    }
    if (best <= before) break;
  }
  return { scale: start.scale, offset, parameter: null };
}

/** For each sample the best other class, and the bias above which class k beats it. */
function rivals({ logits, labels, classes }: Sample, offset: Float64Array, k: number) {
  const others = new Int32Array(labels.length);
  const needed = new Float64Array(labels.length);
  for (let row = 0; row < labels.length; row++) {
    let [most, at] = [Number.NEGATIVE_INFINITY, 0];
    for (let j = 0; j < classes; j++) {
      const score = (logits[row * classes + j] ?? 0) + (offset[j] ?? 0);
      if (j !== k && score > most) [most, at] = [score, j];
    }
    others[row] = at;
    needed[row] = most - (logits[row * classes + k] ?? 0);
  }
  return { others, needed };
}

/** Midpoints between neighbouring values, at most {@link CANDIDATES}, spread evenly over the ranks. */
function candidatesOf(needed: Float64Array): number[] {
  const sorted = Float64Array.from(new Set(needed)).sort();
  const between = Array.from(sorted.subarray(1), (value, i) => (value + (sorted[i] ?? value)) / 2);
  if (between.length <= CANDIDATES) return between;
  return Array.from({ length: CANDIDATES }, (_, i) => {
    const place = Math.floor((i * (between.length - 1)) / (CANDIDATES - 1));
    return between[place] ?? 0;
  });
}

/** Some rows of a sample. */
export function pickRows({ logits, labels, classes }: Sample, rows: readonly number[]): Sample {
  const picked = new Float64Array(rows.length * classes);
  for (const [i, row] of rows.entries()) picked.set(logits.subarray(row * classes, (row + 1) * classes), i * classes);
  return { logits: picked, labels: Int32Array.from(rows, (row) => labels[row] ?? 0), classes };
}
