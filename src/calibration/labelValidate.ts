import { foldsOf } from '../data/folds.ts';
import { labelGate } from '../metrics/labelGate.ts';
import type { Labelled } from '../metrics/labelled.ts';
import type { MetricName } from '../metrics/metrics.ts';
import { type DetailedMetrics, detailedMetricsOf } from '../records/metrics.ts';
import type { Affine } from '../tuned/head.ts';
import { type CalibrationDecision, decideByMetric } from './decide.ts';
import { unchanged } from './fit.ts';
import { type LabelSample, labelledBy, pickLabelRows } from './labelFit.ts';

export interface LabelValidation {
  readonly sample: LabelSample;
  readonly classNames: readonly string[] | undefined;
  readonly metric: Extract<MetricName, 'macroF1' | 'balancedAccuracy' | 'logLoss'>;
  readonly folds: number;
  readonly seed: number;
  fitTo(part: LabelSample): Affine;
}

/** Maps every part of the samples as fitted to the other parts, and decides whether that is better than the model as it is. */
export function crossValidateLabels({ sample, classNames, metric, folds, seed, fitTo }: LabelValidation): {
  readonly before: DetailedMetrics;
  readonly after: DetailedMetrics;
  readonly scored: Labelled;
  readonly decision: CalibrationDecision;
} {
  const { classes } = sample;
  const first = labelledBy(sample, unchanged(classes));
  const fold = foldsOf(first.strata, folds, seed);
  const logits = new Float64Array(sample.logits.length);
  for (let part = 0; part < folds; part++) {
    const [inside, outside]: [number[], number[]] = [[], []];
    for (const [row, own] of fold.entries()) (own === part ? inside : outside).push(row);
    const { scale, offset } = fitTo(pickLabelRows(sample, outside));
    for (const row of inside)
      for (let k = 0; k < classes; k++) {
        const at = row * classes + k;
        logits[at] = (scale[k] ?? 1) * (sample.logits[at] ?? 0) + (offset[k] ?? 0);
      }
  }
  const scored = labelledBy({ ...sample, logits }, unchanged(classes));
  const how = { trainCounts: Array.from(first.tally().totals), seed };
  const before = detailedMetricsOf(first, how);
  const after = detailedMetricsOf(scored, { ...how, before: first });
  if (metric === 'logLoss') return { before, after, scored, decision: decideByMetric(after, metric) };
  const goal = metric === 'macroF1' ? 'macro-f1' : 'balanced-accuracy';
  const named = classNames ? { classNames } : {};
  const { decision, why } = labelGate({ before: first, after: scored, isSafe: false, goal, seed, ...named });
  return { before, after, scored, decision: { decision, why } };
}
