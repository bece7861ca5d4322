import type { CostMatrix } from '../data/costMatrix.ts';
import { TASK_NAMES, type Task } from '../task.ts';
import { calibrationError, logLossOf, reliabilityOf } from './calibration.ts';
import type { Labelled } from './labelled.ts';
import { type Areas, areasOf } from './ranking.ts';
import type { AnyScored, Scored } from './scored.ts';
import { balanceOf, f1Of, geometricMeanOf, mccOf, meanOf, precisionOf, recallOf, type Tally } from './tally.ts';

/** Predictions to judge, each counted with its weight. */
export interface Judged<S extends AnyScored = AnyScored> {
  readonly scored: S;
  readonly tally: Tally;
  readonly weights: ArrayLike<number> | undefined;
  readonly costs: CostMatrix | undefined;
  /** The ranking of a class against all others; none if nothing is ranked. */
  areas(k: number): Areas;
}

export function judged(
  scored: AnyScored,
  { weights, costs }: { weights?: ArrayLike<number>; costs?: CostMatrix } = {},
): Judged {
  const tally = scored.tally(weights);
  const known = new Map<number, Areas>();
  const areas = (k: number): Areas => {
    const found = known.get(k) ?? areasIn(scored, k, tally, weights);
    known.set(k, found);
    return found;
  };
  return { scored, tally, weights, costs, areas };
}

function areasIn(scored: AnyScored, k: number, tally: Tally, weights: ArrayLike<number> | undefined): Areas {
  const ranking = scored.ranking(k);
  if (ranking === null) return { averagePrecision: null, rocAuc: null };
  const positives = tally.totals[k] ?? 0;
  return areasOf(ranking, scored.having(k), { positives, negatives: tally.samples - positives, weights });
}

/** One number for all samples. */
export interface Metric {
  /** Its name on the command line. */
  readonly option: string;
  readonly title: string;
  readonly describe: string;
  readonly better: 'higher' | 'lower';
  /** Shares are shown in percent. */
  readonly isShare: boolean;
  /** The tasks it applies to. Default: all. */
  readonly tasks?: readonly Task[];
  /** Whether it needs the order of all samples by each class's probability: more work and memory. */
  readonly ranks?: boolean;
  /** `null` if undefined: no class has what it needs, there is no cost matrix, or there was too much to rank. */
  of(judged: Judged): number | null;
}

/** A metric by task; `null` for a task it does not apply to. */
function byTask(
  exclusive: ((judged: Judged<Scored>) => number | null) | null,
  multiLabel: ((judged: Judged<Labelled>) => number | null) | null,
): Pick<Metric, 'of' | 'tasks'> {
  const of = (judged: Judged): number | null => {
    const { scored } = judged;
    if (scored.task === 'exclusive') return exclusive?.({ ...judged, scored }) ?? null;
    return multiLabel?.({ ...judged, scored }) ?? null;
  };
  const tasks: Task[] = [...(exclusive ? ['exclusive' as const] : []), ...(multiLabel ? ['multi-label' as const] : [])];
  return { of, tasks };
}

/** The weighted mean over samples. */
function meanBySample({ scored, weights, tally }: Judged<Labelled>, of: (row: number) => number): number {
  let sum = 0;
  for (let row = 0; row < scored.size; row++) {
    const weight = weights?.[row] ?? 1;
    if (weight !== 0) sum += weight * of(row);
  }
  return sum / tally.samples;
}

const total = (values: Float64Array): number => values.reduce((sum, n) => sum + n, 0);

const classes = (tally: Tally): number[] => Array.from(tally.totals.keys());
const recalls = (tally: Tally): (number | null)[] => classes(tally).map((k) => recallOf(tally, k));

/** A new metric is a name here and its entry in {@link METRICS}. */
export type MetricName =
  | 'accuracy'
  | 'balancedAccuracy'
  | 'macroF1'
  | 'gMean'
  | 'mcc'
  | 'prAuc'
  | 'rocAuc'
  | 'logLoss'
  | 'ece'
  | 'cost'
  | 'microF1'
  | 'samplesF1'
  | 'hammingLoss';

/** Every metric of a whole model. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  accuracy: {
    option: 'accuracy',
    title: 'accuracy',
    describe:
      'the share of samples that are predicted correctly; multi-label: in all of their labels (subset accuracy)',
    better: 'higher',
    isShare: true,
    ...byTask(
      ({ tally }) => total(tally.hits) / tally.samples,
      (judged) => meanBySample(judged, (row) => (judged.scored.isRight(row) ? 1 : 0)),
    ),
  },
  balancedAccuracy: {
    option: 'balanced',
    title: 'balanced accuracy',
    describe:
      'the mean recall of the classes that have samples; multi-label: each label’s mean recall of having it and not',
    better: 'higher',
    isShare: true,
    ...byTask(
      ({ tally }) => meanOf(recalls(tally)),
      ({ tally }) => meanOf(classes(tally).map((k) => balanceOf(tally, k))),
    ),
  },
  macroF1: {
    option: 'macro-f1',
    title: 'macro-F1',
    describe: 'the mean F1 of the classes that have samples or predictions; multi-label: of all labels',
    better: 'higher',
    isShare: true,
    ...byTask(
      ({ tally }) => meanOf(classes(tally).map((k) => f1Of(tally, k))),
      ({ tally }) => meanOf(classes(tally).map((k) => f1Of(tally, k) ?? 0)),
    ),
  },
  gMean: {
    option: 'g-mean',
    title: 'G-mean',
    describe: 'the geometric mean of the recalls: 0 if any class is never found',
    better: 'higher',
    isShare: true,
    ...byTask(({ tally }) => geometricMeanOf(recalls(tally)), null),
  },
  mcc: {
    option: 'mcc',
    title: 'MCC',
    describe: 'the Matthews correlation of labels and predictions: 1 is perfect, 0 is chance',
    better: 'higher',
    isShare: false,
    ...byTask(({ tally }) => mccOf(tally), null),
  },
  prAuc: {
    option: 'pr-auc',
    title: 'PR-AUC',
    describe:
      'average precision, one class against the rest, averaged over the classes that have samples (multi-label: mAP)',
    better: 'higher',
    isShare: true,
    ranks: true,
    of: (judged) => meanOf(classes(judged.tally).map((k) => CLASS_METRICS.averagePrecision.of(judged, k))),
  },
  rocAuc: {
    option: 'roc-auc',
    title: 'ROC-AUC',
    describe: 'the area under the ROC curve, one class against the rest, averaged over the classes that have samples',
    better: 'higher',
    isShare: true,
    ranks: true,
    of: (judged) => meanOf(classes(judged.tally).map((k) => CLASS_METRICS.rocAuc.of(judged, k))),
  },
  logLoss: {
    option: 'log-loss',
    title: 'log loss',
    describe:
      'the mean of −log p of the true class, with p clipped at 2.2e-16; multi-label: the mean binary cross-entropy of the labels',
    better: 'lower',
    isShare: false,
    ...byTask(
      ({ scored, weights }) => logLossOf(scored, weights),
      (judged) => meanBySample(judged, (row) => judged.scored.losses[row] ?? Number.NaN),
    ),
  },
  ece: {
    option: 'ece',
    title: 'ECE',
    describe: 'the expected calibration error: the gap between accuracy and confidence, in 15 bins',
    better: 'lower',
    isShare: true,
    ...byTask(({ scored, weights }) => calibrationError(reliabilityOf(scored, weights)), null),
  },
  cost: {
    option: 'cost',
    title: 'cost',
    describe: 'the mean cost per sample, from the cost matrix',
    better: 'lower',
    isShare: false,
    ...byTask(({ scored: { labels, predicted }, tally, weights, costs }) => {
      if (costs === undefined) return null;
      const all = labels.reduce(
        (sum, k, row) => sum + (weights?.[row] ?? 1) * (costs[k]?.[predicted[row] ?? 0] ?? 0),
        0,
      );
      return all / tally.samples;
    }, null),
  },
  microF1: {
    option: 'micro-f1',
    title: 'micro-F1',
    describe: 'multi-label: F1 of all labels of all samples together',
    better: 'higher',
    isShare: true,
    ...byTask(null, ({ tally: { hits, totals, predicted } }) => {
      const both = total(totals) + total(predicted);
      return both === 0 ? 0 : (2 * total(hits)) / both;
    }),
  },
  samplesF1: {
    option: 'samples-f1',
    title: 'samples-F1',
    describe: 'multi-label: the mean over samples of the F1 of their labels, 0 where a sample neither has nor gets one',
    better: 'higher',
    isShare: true,
    ...byTask(null, (judged) =>
      meanBySample(judged, (row) => {
        const { own, chosen, both } = judged.scored.countsOf(row);
        return own + chosen === 0 ? 0 : (2 * both) / (own + chosen);
      }),
    ),
  },
  hammingLoss: {
    option: 'hamming',
    title: 'Hamming loss',
    describe: 'multi-label: the share of all labels of all samples that are predicted wrong',
    better: 'lower',
    isShare: true,
    ...byTask(null, ({ scored, tally: { hits, totals, predicted, samples } }) => {
      return (total(totals) + total(predicted) - 2 * total(hits)) / (samples * scored.classes);
    }),
  },
};

/** Whether a metric applies to predictions of a task. */
export function isOfTask(name: MetricName, task: Task): boolean {
  return (METRICS[name].tasks ?? TASK_NAMES).includes(task);
}

/** @param option its name on the command line. */
export function metricNamed(option: string): MetricName {
  const found = (Object.keys(METRICS) as MetricName[]).find((name) => METRICS[name].option === option);
  if (found) return found;
  throw new RangeError(`${option} is no metric`);
}

/** One number for each class. */
export interface ClassMetric {
  readonly title: string;
  readonly describe: string;
  readonly ranks?: boolean;
  /** `null` where it is not defined. */
  of(judged: Judged, k: number): number | null;
}

export type ClassMetricName = 'recall' | 'precision' | 'f1' | 'averagePrecision' | 'rocAuc';

/** Every metric of a class. */
export const CLASS_METRICS: Readonly<Record<ClassMetricName, ClassMetric>> = {
  recall: {
    title: 'recall',
    describe: 'the share of the class’s samples that are predicted correctly',
    of: ({ tally }, k) => recallOf(tally, k),
  },
  precision: {
    title: 'precision',
    describe: 'the share of the predictions of the class that are correct',
    of: ({ tally }, k) => precisionOf(tally, k),
  },
  f1: { title: 'F1', describe: 'the harmonic mean of precision and recall', of: ({ tally }, k) => f1Of(tally, k) },
  averagePrecision: {
    title: 'average precision',
    describe: 'the area under the precision-recall curve of the class against the rest',
    ranks: true,
    of: (judged, k) => judged.areas(k).averagePrecision,
  },
  rocAuc: {
    title: 'ROC-AUC',
    describe: 'how often a sample of the class gets a higher probability for it than a sample of another class',
    ranks: true,
    of: (judged, k) => judged.areas(k).rocAuc,
  },
};
