import {
  addAll,
  countLabels,
  eachCommon,
  type LabelLists,
  lengthOf,
  listsOf,
  rarestLabels,
} from '../data/labelLists.ts';
import { type Ranking, rankingOf } from './ranking.ts';
import type { Tally } from './tally.ts';

/** Samples with any number of labels, and a model's scores of them. */
export interface LabelledPredictions {
  /** [N, C] in rows, 1 for each label of the sample, 0 for the others. */
  readonly labels: ArrayLike<number>;
  /** [N, C] in rows, each number from 0 to 1. */
  readonly probabilities: ArrayLike<number>;
  readonly classes: number;
  /** A label is predicted if its probability reaches its threshold; one for each class. Default 0.5. */
  readonly thresholds?: ArrayLike<number> | undefined;
}

interface LabelledFields {
  readonly classes: number;
  readonly own: LabelLists;
  readonly chosen: LabelLists;
  /** Mean binary cross-entropy of each sample. */
  readonly losses: Float64Array;
  readonly probabilities: ArrayLike<number> | null;
  readonly thresholds: ArrayLike<number>;
}

export const DEFAULT_THRESHOLD = 0.5;

/** Predictions of several labels per sample, ready to be judged. */
export class Labelled implements LabelledFields {
  readonly task = 'multi-label';
  readonly classes: number;
  readonly own: LabelLists;
  readonly chosen: LabelLists;
  readonly losses: Float64Array;
  /** `null` if there are too many to keep: then nothing is ranked. */
  readonly probabilities: ArrayLike<number> | null;
  readonly thresholds: ArrayLike<number>;
  /** The strata of the draws: the rarest label of each sample; `classes` for one without labels. */
  readonly strata: Int32Array;
  readonly #rankings = new Map<number, Ranking | null>();

  constructor({ classes, own, chosen, losses, probabilities, thresholds }: LabelledFields) {
    this.classes = classes;
    this.own = own;
    this.chosen = chosen;
    this.losses = losses;
    this.probabilities = probabilities;
    this.thresholds = thresholds;
    this.strata = rarestLabels(own, countLabels(own, classes));
  }

  /** @throws RangeError if the number of probabilities differs from the number of labels. */
  static of({ labels, probabilities, classes, thresholds }: LabelledPredictions): Labelled {
    if (probabilities.length !== labels.length || labels.length % classes !== 0)
      throw new RangeError(
        `${labels.length} probabilities in rows of ${classes} expected, ${probabilities.length} found`,
      );
    const own = listsOf(labels, classes);
    const losses = new Float64Array(labels.length / classes);
    for (let i = 0; i < labels.length; i++) {
      const p = probabilities[i] ?? Number.NaN;
      const row = Math.floor(i / classes);
      losses[row] = (losses[row] ?? 0) - Math.log(Math.max(labels[i] ? p : 1 - p, Number.MIN_VALUE)) / classes;
    }
    const all = thresholds ?? new Float64Array(classes).fill(DEFAULT_THRESHOLD);
    const chosen = chosenBy(probabilities, classes, (_, k) => all[k] ?? DEFAULT_THRESHOLD);
    return new Labelled({ classes, own, chosen, losses, probabilities, thresholds: all });
  }

  get size(): number {
    return this.losses.length;
  }

  /** The same with other predictions. @param thresholdOf by sample and class. @throws RangeError if probabilities were not kept. */
  chosenBy(thresholdOf: (row: number, k: number) => number, thresholds: ArrayLike<number>): Labelled {
    if (this.probabilities === null) throw new RangeError('the probabilities were not kept');
    const chosen = chosenBy(this.probabilities, this.classes, thresholdOf);
    return new Labelled({ ...this, chosen, thresholds });
  }

  /** The samples in the order of a label's probability, cached; `null` if probabilities were not kept, or one is NaN. */
  ranking(k: number): Ranking | null {
    const { probabilities, classes, size } = this;
    if (probabilities === null) return null;
    const known = this.#rankings.get(k);
    if (known !== undefined) return known;
    const ranking = rankingOf(
      Float64Array.from({ length: size }, (_, row) => probabilities[row * classes + k] ?? Number.NaN),
    );
    this.#rankings.set(k, ranking);
    return ranking;
  }

  /** 1 for the samples that have a label. */
  having(k: number): Uint8Array {
    return flagsOf(this.own, k);
  }

  /** 1 for the samples predicted as a label. */
  taking(k: number): Uint8Array {
    return flagsOf(this.chosen, k);
  }

  tally(weights?: ArrayLike<number>): Tally {
    const { classes, size, own, chosen } = this;
    const [totals, predicted, hits] = [new Float64Array(classes), new Float64Array(classes), new Float64Array(classes)];
    let samples = 0;
    for (let row = 0; row < size; row++) {
      const weight = weights === undefined ? 1 : (weights[row] ?? 0);
      if (weight === 0) continue;
      samples += weight;
      addAll(totals, own, row, weight);
      addAll(predicted, chosen, row, weight);
      eachCommon(own, chosen, row, (k) => {
        hits[k] = (hits[k] ?? 0) + weight;
      });
    }
    return { samples, totals, predicted, hits };
  }

  /** For one sample: its labels, the predicted ones, and those that are both. */
  countsOf(row: number): { readonly own: number; readonly chosen: number; readonly both: number } {
    let both = 0;
    eachCommon(this.own, this.chosen, row, () => both++);
    return { own: lengthOf(this.own, row), chosen: lengthOf(this.chosen, row), both };
  }

  /** Whether all labels of a sample are predicted correctly. */
  isRight(row: number): boolean {
    const { own, chosen, both } = this.countsOf(row);
    return own === both && chosen === both;
  }
}

function flagsOf({ starts, of }: LabelLists, k: number): Uint8Array {
  const flags = new Uint8Array(starts.length - 1);
  for (let row = 0; row < flags.length; row++) {
    for (let i = starts[row] ?? 0; i < (starts[row + 1] ?? 0); i++) if (of[i] === k) flags[row] = 1;
  }
  return flags;
}

/** The sigmoid of each logit of one row, in float64. */
export function sigmoidsInto(out: Float64Array, logits: ArrayLike<number>, start: number): Float64Array {
  for (let k = 0; k < out.length; k++) {
    const z = logits[start + k] ?? Number.NaN;
    const e = Math.exp(-Math.abs(z));
    out[k] = z >= 0 ? 1 / (1 + e) : e / (1 + e);
  }
  return out;
}

/** The most probabilities kept: 64 MiB of float64. */
const MAX_KEPT: number = 2 ** 23;

/** Collects a model's scores, batch by batch. */
export class LabelCollector {
  readonly #classes: number;
  readonly #hot: Uint8Array;
  readonly #chosen: Uint8Array;
  readonly #losses: Float64Array;
  readonly #kept: Float64Array | null;
  #size = 0;

  constructor(size: number, classes: number) {
    this.#classes = classes;
    this.#hot = new Uint8Array(size * classes);
    this.#chosen = new Uint8Array(size * classes);
    this.#losses = new Float64Array(size);
    this.#kept = size * classes <= MAX_KEPT ? new Float64Array(size * classes) : null;
  }

  /** @param logits [N, C] in rows; anything after them is ignored. @param labels a row of 0 and 1 for each. */
  add(logits: ArrayLike<number>, labels: readonly ArrayLike<number>[]): void {
    const classes = this.#classes;
    const probabilities = new Float64Array(classes);
    for (const [i, own] of labels.entries()) {
      const row = this.#size++;
      sigmoidsInto(probabilities, logits, i * classes);
      for (const [k, p] of probabilities.entries()) {
        const z = logits[i * classes + k] ?? Number.NaN;
        const at = row * classes + k;
        this.#hot[at] = own[k] ? 1 : 0;
        this.#chosen[at] = p >= DEFAULT_THRESHOLD ? 1 : 0;
        const loss = Math.max(own[k] ? -z : z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
        this.#losses[row] = (this.#losses[row] ?? 0) + loss / classes;
        if (this.#kept) this.#kept[at] = p;
      }
    }
  }

  /** Predicted from 0.5 on. */
  done(): Labelled {
    const classes = this.#classes;
    return new Labelled({
      classes,
      own: listsOf(this.#hot, classes),
      chosen: listsOf(this.#chosen, classes),
      losses: this.#losses,
      probabilities: this.#kept,
      thresholds: new Float64Array(classes).fill(DEFAULT_THRESHOLD),
    });
  }
}

function chosenBy(
  probabilities: ArrayLike<number>,
  classes: number,
  thresholdOf: (row: number, k: number) => number,
): LabelLists {
  const hot = new Uint8Array(probabilities.length);
  for (let i = 0; i < hot.length; i++) {
    const k = i % classes;
    if ((probabilities[i] ?? 0) >= thresholdOf((i - k) / classes, k)) hot[i] = 1;
  }
  return listsOf(hot, classes);
}
