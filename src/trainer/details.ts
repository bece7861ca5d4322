import type { Part } from '../data/samples.ts';
import { bestThreshold, operatingPoint, precisionRecallCurve } from '../metrics/precisionRecall.ts';
import type { Scored } from '../metrics/scored.ts';
import type { RunCurves, WrongSample } from '../records/curves.ts';

/** Curves of more classes are not looked at. */
const MAX_CURVES = 6;
const MAX_WRONG = 12;

/** What two models say of the samples that are judged, and what the second says of the validation data. */
export interface Compared {
  readonly before: Scored;
  readonly after: Scored;
  readonly validation: Scored;
}

/** Curves and operating points of the rarest classes; of two classes, the rarer one says it all. */
export function curvesOf({ before, after, validation }: Compared, trainCounts: readonly number[]): RunCurves {
  const order = trainCounts.map((count, k) => ({ count, k })).sort((a, b) => a.count - b.count);
  const asked = order.flatMap(({ k }) => (after.labels.includes(k) ? [k] : []));
  const shown = asked.slice(0, trainCounts.length === 2 ? 1 : MAX_CURVES);
  const curves = (scored: Scored) => shown.flatMap((k) => precisionRecallCurve(scored, k) ?? []);
  const points = shown.flatMap((k) => {
    const threshold = bestThreshold(validation, k);
    return threshold === null ? [] : (operatingPoint(after, k, threshold) ?? []);
  });
  return { before: curves(before), after: curves(after), points };
}

/** The samples that a model takes for another class, those of which it is surest first. */
export function surestMistakes({ samples, rows }: Part, scored: Scored): WrongSample[] {
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
