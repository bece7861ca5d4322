import type { Part } from '../data/samples.ts';
import { bestThreshold, operatingPoint, precisionRecallCurve } from '../metrics/precisionRecall.ts';
import type { AnyScored } from '../metrics/scored.ts';
import { LEAST_SAMPLES } from '../metrics/tally.ts';
import type { RunCurves, WrongSample } from '../records/curves.ts';

/** Nobody looks at the curves of more classes. */
const MAX_CURVES = 6;
const MAX_WRONG = 12;

/** Two models' results on the judged samples, and the second one's on the validation data. */
export interface Compared {
  readonly before: AnyScored;
  readonly after: AnyScored;
  readonly validation: AnyScored;
}

/** Curves and operating points of the rarest classes; of two classes, the rarer one suffices. */
export function curvesOf({ before, after, validation }: Compared, trainCounts: readonly number[]): RunCurves {
  const order = trainCounts.map((count, k) => ({ count, k })).sort((a, b) => a.count - b.count);
  const { totals } = after.tally();
  const asked = order.flatMap(({ k }) => ((totals[k] ?? 0) > 0 ? [k] : []));
  const isOneAgainstOther = trainCounts.length === 2 && after.task === 'exclusive';
  const shown = asked.slice(0, isOneAgainstOther ? 1 : MAX_CURVES);
  const curves = (scored: AnyScored) => shown.flatMap((k) => precisionRecallCurve(scored, k) ?? []);
  const held = validation.tally().totals;
  const points = shown.flatMap((k) => {
    // A threshold from a handful of samples is chance.
    const threshold = (held[k] ?? 0) < LEAST_SAMPLES ? null : bestThreshold(validation, k);
    return threshold === null ? [] : (operatingPoint(after, k, threshold) ?? []);
  });
  return { before: curves(before), after: curves(after), points };
}

/** A model's misclassified samples, the most confident first. */
export function surestMistakes({ samples, rows }: Part, scored: AnyScored): WrongSample[] {
  // With several labels, some are right and others wrong.
  if (scored.task === 'multi-label') return [];
  const { labels, predicted, confidence, truth } = scored;
  const wrong = Array.from(labels.keys()).filter((i) => labels[i] !== predicted[i]);
  wrong.sort((a, b) => (confidence[b] ?? 0) - (confidence[a] ?? 0) || a - b);
  return wrong.slice(0, MAX_WRONG).map((i) => {
    const row = rows[i] ?? 0;
    return {
      row,
      where: samples.describeRow(row),
      label: labels[i] ?? 0,
      predicted: predicted[i] ?? 0,
      probability: confidence[i] ?? 0,
      truth: truth[i] ?? 0,
    };
  });
}
