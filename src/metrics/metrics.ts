import type { CostMatrix } from '../data/costMatrix.ts';
import { calibrationError, logLossOf, reliabilityOf } from './calibration.ts';
import { type Areas, areasOf } from './ranking.ts';
import type { Scored } from './scored.ts';
import { f1Of, geometricMeanOf, mccOf, meanOf, precisionOf, recallOf, type Tally, tallyOf } from './tally.ts';

/** Predictions that are judged, each counted as often as its weight says. */
export interface Judged {
  readonly scored: Scored;
  readonly tally: Tally;
  readonly weights: ArrayLike<number> | undefined;
  readonly costs: CostMatrix | undefined;
  /** Of a class against all others; none where nothing is ranked. */
  areas(k: number): Areas;
}

export function judged(
  scored: Scored,
  { weights, costs }: { weights?: ArrayLike<number>; costs?: CostMatrix } = {},
): Judged {
  const tally = tallyOf(scored, weights);
  const known = new Map<number, Areas>();
  const areas = (k: number): Areas => {
    const found = known.get(k) ?? areasIn(scored, k, tally, weights);
    known.set(k, found);
    return found;
  };
  return { scored, tally, weights, costs, areas };
}

function areasIn(scored: Scored, k: number, tally: Tally, weights: ArrayLike<number> | undefined): Areas {
  const ranking = scored.ranking(k);
  if (ranking === null) return { averagePrecision: null, rocAuc: null };
  const positives = tally.totals[k] ?? 0;
  return areasOf(ranking, scored.labels, k, { positives, negatives: tally.samples - positives, weights });
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
  /** Whether it needs the order of all samples by each class's probability: more work and memory. */
  readonly ranks?: boolean;
  /** `null` where it is not defined: no class has what it needs, there is no cost matrix, or what is ranked was too much to keep. */
  of(judged: Judged): number | null;
}

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
  | 'cost';

/** Every metric of a whole model. */
export const METRICS: Readonly<Record<MetricName, Metric>> = {
  accuracy: {
    option: 'accuracy',
    title: 'accuracy',
    describe: 'the share of samples that are predicted correctly',
    better: 'higher',
    isShare: true,
    of: ({ tally }) => tally.hits.reduce((sum, n) => sum + n, 0) / tally.samples,
  },
  balancedAccuracy: {
    option: 'balanced',
    title: 'balanced accuracy',
    describe: 'the mean recall of the classes that have samples',
    better: 'higher',
    isShare: true,
    of: ({ tally }) => meanOf(recalls(tally)),
  },
  macroF1: {
    option: 'macro-f1',
    title: 'macro-F1',
    describe: 'the mean F1 of the classes that have samples or predictions',
    better: 'higher',
    isShare: true,
    of: ({ tally }) => meanOf(classes(tally).map((k) => f1Of(tally, k))),
  },
  gMean: {
    option: 'g-mean',
    title: 'G-mean',
    describe: 'the geometric mean of the recalls: 0 if any class is never found',
    better: 'higher',
    isShare: true,
    of: ({ tally }) => geometricMeanOf(recalls(tally)),
  },
  mcc: {
    option: 'mcc',
    title: 'MCC',
    describe: 'the Matthews correlation of labels and predictions: 1 is perfect, 0 is chance',
    better: 'higher',
    isShare: false,
    of: ({ tally }) => mccOf(tally),
  },
  prAuc: {
    option: 'pr-auc',
    title: 'PR-AUC',
    describe: 'average precision, one class against the rest, averaged over the classes that have samples',
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
    describe: 'the mean of −log p of the true class, with p clipped at 2.2e-16',
    better: 'lower',
    isShare: false,
    of: ({ scored, weights }) => logLossOf(scored, weights),
  },
  ece: {
    option: 'ece',
    title: 'ECE',
    describe: 'the expected calibration error: the gap between accuracy and confidence, in 15 bins',
    better: 'lower',
    isShare: true,
    of: ({ scored, weights }) => calibrationError(reliabilityOf(scored, weights)),
  },
  cost: {
    option: 'cost',
    title: 'cost',
    describe: 'the mean cost per sample, from the cost matrix',
    better: 'lower',
    isShare: false,
    of: ({ scored: { labels, predicted }, tally, weights, costs }) => {
      if (costs === undefined) return null;
      const all = labels.reduce(
        (sum, k, row) => sum + (weights?.[row] ?? 1) * (costs[k]?.[predicted[row] ?? 0] ?? 0),
        0,
      );
      return all / tally.samples;
    },
  },
};

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
