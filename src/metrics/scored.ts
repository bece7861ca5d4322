import { type Ranks, ranksOf } from './ranking.ts';

/** Labelled samples and what a model says of them. */
export interface Predictions {
  /** Of the true classes, 0 to `classes` − 1. */
  readonly labels: ArrayLike<number>;
  /** [N, C] in rows, each of sum 1. */
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
}

/**
 * Predictions, ready to be judged: the class with the highest probability is the one that is predicted, of equal ones the first, as NumPy's
 * argmax has it.
 */
export class Scored implements Predictions {
  readonly labels: Int32Array;
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
  readonly predicted: Int32Array;
  readonly #ranks = new Map<number, Ranks>();

  /** @throws RangeError where a label is no class, or there are not N × C probabilities. */
  constructor({ labels, probabilities, classes }: Predictions) {
    if (probabilities.length !== labels.length * classes)
      throw new RangeError(`${labels.length} × ${classes} probabilities expected, ${probabilities.length} found`);
    this.labels = Int32Array.from(labels);
    this.probabilities = probabilities;
    this.classes = classes;
    this.predicted = argmaxRows(probabilities, labels.length, classes);
    const wrong = this.labels.find((label) => label < 0 || label >= classes);
    if (wrong !== undefined) throw new RangeError(`a label from 0 to ${classes - 1} expected, ${wrong} found`);
  }

  get size(): number {
    return this.labels.length;
  }

  /** Of the class, for a sample. */
  probability(row: number, k: number): number {
    return this.probabilities[row * this.classes + k] ?? Number.NaN;
  }

  /** The samples in the order of a class's probability. */
  ranks(k: number): Ranks {
    const known = this.#ranks.get(k) ?? ranksOf(Float64Array.from(this.labels, (_, row) => this.probability(row, k)));
    this.#ranks.set(k, known);
    return known;
  }
}

/** The class with the highest score of each of the first `count` samples; of equal ones the first, as argmax does. */
export function argmaxRows(scores: ArrayLike<number>, count: number, classes: number): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((scores[row * classes + k] ?? 0) > (scores[row * classes + best] ?? 0)) best = k;
    }
    return best;
  });
}

/** Writes softmax(logits) of `rows` rows of `classes` into `out` from sample `start` on, in float64; each row's maximum is taken off. */
export function softmaxInto(
  out: Float64Array,
  logits: ArrayLike<number>,
  at: { start: number; rows: number; classes: number },
): void {
  const { start, rows, classes } = at;
  for (let row = 0; row < rows; row++) {
    let max = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) max = Math.max(max, logits[row * classes + k] ?? 0);
    const to = (start + row) * classes;
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const odds = Math.exp((logits[row * classes + k] ?? 0) - max);
      out[to + k] = odds;
      sum += odds;
    }
    for (let k = 0; k < classes; k++) out[to + k] = (out[to + k] ?? 0) / sum;
  }
}
