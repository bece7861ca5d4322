import type { Labelled } from './labelled.ts';
import { type Ranking, rankingOf } from './ranking.ts';
import type { Tally } from './tally.ts';

/** Predictions of either task, ready to be judged. */
export type AnyScored = Scored | Labelled;

/** Labelled samples and a model's scores of them. */
export interface Predictions {
  /** The true classes, 0 to `classes` − 1. */
  readonly labels: ArrayLike<number>;
  /** [N, C] in rows, each with sum 1. */
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
}

interface ScoredFields {
  readonly labels: Int32Array;
  readonly classes: number;
  /** The class with the highest probability, the first of equals, as in NumPy's argmax. */
  readonly predicted: Int32Array;
  /** The probability of the predicted class, and of the true one. */
  readonly confidence: Float64Array;
  readonly truth: Float64Array;
  /** All of them, [N, C]; `null` if there are too many to keep. Then nothing is ranked. */
  readonly probabilities: ArrayLike<number> | null;
}

/** Predictions, ready to be judged. */
export class Scored implements ScoredFields {
  readonly task = 'exclusive';
  readonly labels: Int32Array;
  readonly classes: number;
  readonly predicted: Int32Array;
  readonly confidence: Float64Array;
  readonly truth: Float64Array;
  readonly probabilities: ArrayLike<number> | null;
  readonly #rankings = new Map<number, Ranking | null>();

  constructor({ labels, classes, predicted, confidence, truth, probabilities }: ScoredFields) {
    const wrong = labels.find((label) => label < 0 || label >= classes);
    if (wrong !== undefined) throw new RangeError(`a label from 0 to ${classes - 1} expected, ${wrong} found`);
    this.labels = labels;
    this.classes = classes;
    this.predicted = predicted;
    this.confidence = confidence;
    this.truth = truth;
    this.probabilities = probabilities;
  }

  /** @throws RangeError if a label is not a class, or there are not N × C probabilities. */
  static of({ labels, probabilities, classes }: Predictions): Scored {
    const size = labels.length;
    if (probabilities.length !== size * classes)
      throw new RangeError(`${size} × ${classes} probabilities expected, ${probabilities.length} found`);
    const own = Int32Array.from(labels);
    const predicted = argmaxRows(probabilities, size, classes);
    const at = (chosen: Int32Array): Float64Array =>
      Float64Array.from(chosen, (k, row) => probabilities[row * classes + k] ?? Number.NaN);
    return new Scored({ labels: own, classes, predicted, confidence: at(predicted), truth: at(own), probabilities });
  }

  get size(): number {
    return this.labels.length;
  }

  /** The strata of the draws. */
  get strata(): Int32Array {
    return this.labels;
  }

  /** The cross-entropy of each sample. */
  get losses(): Float64Array {
    return this.truth.map((p) => -Math.log(Math.max(p, Number.MIN_VALUE)));
  }

  /** 1 for the samples that have a class. */
  having(k: number): Uint8Array {
    return Uint8Array.from(this.labels, (label) => (label === k ? 1 : 0));
  }

  /** 1 for the samples predicted as a class. */
  taking(k: number): Uint8Array {
    return Uint8Array.from(this.predicted, (label) => (label === k ? 1 : 0));
  }

  isRight(row: number): boolean {
    return this.labels[row] === this.predicted[row];
  }

  tally(weights?: ArrayLike<number>): Tally {
    const { labels, predicted, classes } = this;
    const [totals, chosen, hits] = [new Float64Array(classes), new Float64Array(classes), new Float64Array(classes)];
    let samples = 0;
    for (let row = 0; row < labels.length; row++) {
      const weight = weights === undefined ? 1 : (weights[row] ?? 0);
      const [label, k] = [labels[row] ?? 0, predicted[row] ?? 0];
      samples += weight;
      totals[label] = (totals[label] ?? 0) + weight;
      chosen[k] = (chosen[k] ?? 0) + weight;
      if (k === label) hits[k] = (hits[k] ?? 0) + weight;
    }
    return { samples, totals, predicted: chosen, hits };
  }

  /** The samples in the order of a class's probability, cached; `null` if probabilities were not kept, or one is NaN. */
  ranking(k: number): Ranking | null {
    const { probabilities, classes, size } = this;
    if (probabilities === null) return null;
    const known = this.#rankings.get(k);
    if (known !== undefined) return known;
    const scores = new Float64Array(size);
    for (let row = 0; row < size; row++) scores[row] = probabilities[row * classes + k] ?? Number.NaN;
    const ranking = rankingOf(scores);
    this.#rankings.set(k, ranking);
    return ranking;
  }
}

/** The most probabilities kept: 64 MiB of float64. */
export const MAX_KEPT: number = 2 ** 23;

/** Whether this many samples can be ranked by the probabilities of this many classes. */
export function areKept(size: number, classes: number): boolean {
  return size * classes <= MAX_KEPT;
}

/** Collects a model's scores, batch by batch. */
export class Collector {
  readonly #classes: number;
  readonly #parts: { labels: Int32Array; predicted: Int32Array; confidence: Float64Array; truth: Float64Array };
  readonly #kept: Float64Array | null;
  #size = 0;

  constructor(size: number, classes: number) {
    this.#classes = classes;
    const [labels, predicted] = [new Int32Array(size), new Int32Array(size)];
    this.#parts = { labels, predicted, confidence: new Float64Array(size), truth: new Float64Array(size) };
    this.#kept = areKept(size, classes) ? new Float64Array(size * classes) : null;
  }

  /** @param logits [N, C] in rows; anything after them is ignored. */
  add(logits: ArrayLike<number>, labels: ArrayLike<number>): void {
    const classes = this.#classes;
    const predicted = argmaxRows(logits, labels.length, classes);
    const { labels: own, predicted: chosen, confidence, truth } = this.#parts;
    const probabilities = new Float64Array(classes);
    for (let i = 0; i < labels.length; i++) {
      const [k, label, row] = [predicted[i] ?? 0, labels[i] ?? 0, this.#size++];
      softmax(probabilities, logits, i * classes, k);
      own[row] = label;
      chosen[row] = k;
      confidence[row] = probabilities[k] ?? Number.NaN;
      truth[row] = probabilities[label] ?? Number.NaN;
      this.#kept?.set(probabilities, row * classes);
    }
  }

  done(): Scored {
    return new Scored({ ...this.#parts, classes: this.#classes, probabilities: this.#kept });
  }
}

/** The exponentials of one row of logits, in float64, after subtracting the largest logit. */
function softmax(out: Float64Array, logits: ArrayLike<number>, start: number, largest: number): void {
  const max = logits[start + largest] ?? 0;
  let sum = 0;
  for (let k = 0; k < out.length; k++) {
    const odds = Math.exp((logits[start + k] ?? Number.NaN) - max);
    out[k] = odds;
    sum += odds;
  }
  for (let k = 0; k < out.length; k++) out[k] = (out[k] ?? 0) / sum;
}

/** The probabilities of one row of logits, in float64. */
export function softmaxInto(out: Float64Array, logits: ArrayLike<number>, start: number): Float64Array {
  let largest = 0;
  for (let k = 1; k < out.length; k++) {
    if ((logits[start + k] ?? 0) > (logits[start + largest] ?? 0)) largest = k;
  }
  softmax(out, logits, start, largest);
  return out;
}

/** The class with the highest score for each of the first `count` samples; the first of equals, like argmax. */
export function argmaxRows(scores: ArrayLike<number>, count: number, classes: number): Int32Array {
  const out = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const start = row * classes;
    let [best, highest] = [0, scores[start] ?? 0];
    for (let k = 1; k < classes; k++) {
      const score = scores[start + k] ?? 0;
      if (score > highest) [best, highest] = [k, score];
    }
    out[row] = best;
  }
  return out;
}
