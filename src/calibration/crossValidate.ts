import type { CostMatrix } from '../data/costMatrix.ts';
import { foldsOf } from '../data/folds.ts';
import type { MetricName } from '../metrics/metrics.ts';
import { Collector, type Scored } from '../metrics/scored.ts';
import { type DetailedMetrics, detailedMetricsOf } from '../records/metrics.ts';
import type { Affine } from '../tuned/head.ts';
import { type CalibrationDecision, decideCalibration } from './decide.ts';
import { apply, pickRows, type Sample } from './fit.ts';

/** Folds of the samples: each is judged by a fit on the others. */
export const FOLDS = 5;

/** A model before and after calibration, on samples that the map was not fitted on. */
export interface CrossValidated {
  readonly before: DetailedMetrics;
  readonly after: DetailedMetrics;
  readonly scored: Scored;
  readonly decision: CalibrationDecision;
}

export interface CrossValidation {
  /** The basis of the fit. */
  readonly sample: Sample;
  /** The model's own scores. */
  readonly given: Sample;
  readonly classNames: readonly string[] | undefined;
  /** Counts that sort classes into many, medium and few. */
  readonly trainCounts: readonly number[];
  readonly metric: MetricName;
  readonly folds: number;
  readonly seed: number;
  readonly costs: CostMatrix | undefined;
  /** Metrics that get intervals; all by default. */
  readonly drawn?: readonly MetricName[];
  fitTo(part: Sample): Affine;
}

/** Maps every fold by a fit on the others, and decides whether that is better than the given model. */
export function crossValidate(request: CrossValidation): CrossValidated {
  const { sample, given, classNames, trainCounts, metric, folds, seed, costs, fitTo } = request;
  const { classes, labels } = sample;
  const fold = foldsOf(labels, folds, seed);
  const logits = new Float64Array(sample.logits.length);
  for (let k = 0; k < folds; k++) {
    const [inside, outside]: [number[], number[]] = [[], []];
    for (const [row, own] of fold.entries()) (own === k ? inside : outside).push(row);
    const mapped = apply(pickRows(sample, inside), fitTo(pickRows(sample, outside)));
    for (const [i, row] of inside.entries()) logits.set(mapped.subarray(i * classes, (i + 1) * classes), row * classes);
  }
  const [first, scored] = [scoredOf(given, given.logits), scoredOf(sample, logits)];
  const how = { trainCounts, seed, costs, ...(request.drawn ? { drawn: request.drawn } : {}) };
  const before = detailedMetricsOf(first, how);
  const after = detailedMetricsOf(scored, { ...how, before: first });
  const predicted = { before: first.predicted, after: scored.predicted };
  const decision = decideCalibration({ labels, classes, classNames, predicted, before, after, seed }, metric);
  return { before, after, scored, decision };
}

/** Figures of logits on labelled samples. */
export function scoredOf({ labels, classes }: Pick<Sample, 'labels' | 'classes'>, logits: Float64Array): Scored {
  const collector = new Collector(labels.length, classes);
  collector.add(logits, labels);
  return collector.done();
}
