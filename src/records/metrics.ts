import type { CostMatrix } from '../data/costMatrix.ts';
import { compareModels, type Differences, type Intervals, intervalsOf } from '../metrics/bootstrap.ts';
import { type ReliabilityBin, reliabilityOf } from '../metrics/calibration.ts';
import { type Group, groupsOf } from '../metrics/groups.ts';
import { type McNemar, mcNemar } from '../metrics/mcnemar.ts';
import {
  CLASS_METRICS,
  type ClassMetricName,
  isOfTask,
  type Judged,
  judged,
  METRICS,
  type MetricName,
} from '../metrics/metrics.ts';
import type { AnyScored } from '../metrics/scored.ts';
import { meanOf, rarestOf } from '../metrics/tally.ts';

/** A value for every metric; `null` if undefined. */
export type Scores = Readonly<Record<MetricName, number | null>> & {
  readonly accuracy: number;
  readonly balancedAccuracy: number;
};

type ByClass = readonly (number | null)[];

/** How good predictions are. */
export interface Metrics extends Scores {
  readonly samples: number;
  /** If samples may have several labels: the probability threshold of each label. */
  readonly thresholds?: readonly number[];
  /** By class; `null` for a class without samples. */
  readonly recall: ByClass;
  /** Further metrics by class; `null` in an epoch's record of more than {@link MAX_CONFUSION} classes. */
  readonly classes: Readonly<Record<Exclude<ClassMetricName, 'recall'>, ByClass>> | null;
  /** Mean recalls of the classes with many, some and few training samples, see `groupsOf`; `null` if there are none. */
  readonly many: number | null;
  readonly medium: number | null;
  readonly few: number | null;
  /** Rows are true classes, columns are predictions; `null` above {@link MAX_CONFUSION} classes, and if samples may have several labels. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** The most frequent mistakes, in descending order, if there is no matrix. */
  readonly mistakes: readonly Mistake[] | null;
}

/** Computed once, after training. */
export interface DetailedMetrics extends Metrics {
  /** 95 % intervals; `null` for metrics without one. */
  readonly intervals: Readonly<Intervals>;
  readonly reliability: readonly ReliabilityBin[];
  /** The class with the fewest samples among those that have any. Below {@link LEAST_SAMPLES} the intervals are too narrow. */
  readonly rarest: { readonly class: number; readonly samples: number };
  /** Against the given model; `null` for the given model itself. */
  readonly change: Change | null;
}

export interface Change {
  readonly metrics: Readonly<Differences>;
  readonly accuracy: McNemar;
}

export interface Mistake {
  readonly label: number;
  readonly predicted: number;
  readonly samples: number;
}

/** A confusion matrix of more classes is unreadable, and large in every epoch's record. */
export const MAX_CONFUSION = 200;

const MISTAKES = 40;

export interface MetricsOptions {
  /** Training samples of each class, which sort classes into many, medium and few. */
  readonly trainCounts: readonly number[];
  readonly costs?: CostMatrix | undefined;
}

export function metricsOf(scored: AnyScored, options: MetricsOptions): Metrics {
  const isLarge = scored.classes > MAX_CONFUSION;
  return { ...figuresOf(scored, options), classes: isLarge ? null : classFigures(judged(scored)) };
}

/** @param before the given model's results on the same samples. */
export function detailedMetricsOf(
  scored: AnyScored,
  options: MetricsOptions & { readonly before?: AnyScored; readonly seed: number },
): DetailedMetrics {
  const { before, seed, costs } = options;
  const metrics = names.filter((name) => isOfTask(name, scored.task) && (name !== 'cost' || costs !== undefined));
  const how = { metrics, seed, ...(costs === undefined ? {} : { costs }) };
  const compared = before && compareModels(before, scored, how);
  return {
    ...figuresOf(scored, options),
    classes: classFigures(judged(scored)),
    intervals: compared?.intervals ?? intervalsOf(scored, how),
    reliability: scored.task === 'exclusive' ? reliabilityOf(scored) : [],
    rarest: rarestOf(scored.tally()),
    change: before && compared ? { metrics: compared.differences, accuracy: mcNemar(before, scored) } : null,
  };
}

const names = Object.keys(METRICS) as MetricName[];

function figuresOf(scored: AnyScored, { trainCounts, costs }: MetricsOptions): Omit<Metrics, 'classes'> {
  const all = judged(scored, costs === undefined ? {} : { costs });
  const scores = Object.fromEntries(names.map((name) => [name, METRICS[name].of(all)])) as Scores;
  const recall = byClass(all, 'recall');
  const groups = groupsOf(trainCounts);
  const among = (group: Group): number | null => meanOf(recall.filter((_, k) => groups.of[k] === group));
  return {
    samples: scored.size,
    ...(scored.task === 'multi-label' ? { thresholds: Array.from(scored.thresholds) } : {}),
    ...scores,
    recall,
    many: among('many'),
    medium: among('medium'),
    few: among('few'),
    ...confusionOf(scored),
  };
}

/** Only exclusive classes have a confusion matrix. */
function confusionOf(scored: AnyScored): Pick<Metrics, 'confusion' | 'mistakes'> {
  if (scored.task === 'multi-label') return { confusion: null, mistakes: null };
  const confusion = confusionMatrix(scored.labels, scored.predicted, scored.classes);
  const isLarge = scored.classes > MAX_CONFUSION;
  return { confusion: isLarge ? null : confusion, mistakes: isLarge ? mistakesOf(confusion, MISTAKES) : null };
}

function classFigures(all: Judged): NonNullable<Metrics['classes']> {
  return {
    precision: byClass(all, 'precision'),
    f1: byClass(all, 'f1'),
    averagePrecision: byClass(all, 'averagePrecision'),
    rocAuc: byClass(all, 'rocAuc'),
  };
}

function byClass(all: Judged, name: ClassMetricName): (number | null)[] {
  return Array.from({ length: all.scored.classes }, (_, k) => CLASS_METRICS[name].of(all, k));
}

/** Counts of pairs (label, prediction). */
export function confusionMatrix(
  labels: ArrayLike<bigint | number>,
  predictions: ArrayLike<number>,
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) {
    const row = counts[Number(labels[i])];
    const predicted = predictions[i] ?? -1;
    if (row && predicted in row) row[predicted] = (row[predicted] ?? 0) + 1;
  }
  return counts;
}

/** The `limit` largest counts off the diagonal of a confusion matrix; the first of equals. */
export function mistakesOf(confusion: readonly (readonly number[])[], limit: number): Mistake[] {
  const all = confusion.flatMap((row, label) =>
    row.flatMap((samples, predicted) => (samples > 0 && predicted !== label ? [{ label, predicted, samples }] : [])),
  );
  return all.sort((a, b) => b.samples - a.samples).slice(0, limit);
}
