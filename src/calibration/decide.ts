import { collapseOf } from '../metrics/collapse.ts';
import { type Decision, gate, PROVED } from '../metrics/gate.ts';
import { METRICS, type MetricName } from '../metrics/metrics.ts';
import { LEAST_SAMPLES } from '../metrics/tally.ts';
import type { DetailedMetrics } from '../records/metrics.ts';

/** Whether the calibrated model is better on samples it was not fitted on. */
export interface CalibrationDecision {
  /** `take`: it is. `keep`: it is not shown to be. `untold`: there are too few samples to tell. */
  readonly decision: Decision;
  /** One sentence for people, without a full stop. */
  readonly why: string;
}

/** The model before and after, on the same samples: each fold is judged by a fit on the others. */
export interface Judgement {
  readonly labels: Int32Array;
  readonly classes: number;
  readonly classNames: readonly string[] | undefined;
  readonly predicted: { readonly before: Int32Array; readonly after: Int32Array };
  readonly before: DetailedMetrics;
  readonly after: DetailedMetrics;
  readonly seed: number;
}

/**
 * Applies the gate of `train` to a calibrated model. Measurements showed that a fitted adjustment harms some models, so it needs proof:
 * for macro-F1 and balanced accuracy by the same gate, for every other metric by its paired bootstrap.
 */
export function decideCalibration(judgement: Judgement, metric: MetricName): CalibrationDecision {
  const { labels, classes, classNames, predicted, before, after, seed } = judgement;
  const collapse = metric === 'logLoss' ? undefined : collapseOf(before, after, classNames);
  if (collapse !== undefined) return { decision: 'keep', why: collapse };
  if (metric !== 'macroF1' && metric !== 'balancedAccuracy') return decideByMetric(after, metric);
  const { decision, why } = gate({
    labels,
    classes,
    ...predicted,
    ...(classNames ? { classNames } : {}),
    isSafe: false,
    goal: metric === 'macroF1' ? 'macro-f1' : 'balanced-accuracy',
    seed,
  });
  return { decision, why };
}

/** Metrics in which a rare class counts as much as any other. */
const COUNTS_CLASSES_ALIKE: ReadonlySet<MetricName> = new Set(['gMean']);

/** By the paired bootstrap of a metric. */
export function decideByMetric({ change, rarest }: DetailedMetrics, metric: MetricName): CalibrationDecision {
  const { title, isShare } = METRICS[metric];
  const found = change?.metrics[metric];
  if (!found) return { decision: 'untold', why: `these samples do not determine ${title}` };
  const points = isShare ? `${signed(100 * found.difference, 1)} points` : signed(found.difference, 4);
  const share = `better with a probability of ${Math.round(100 * found.better)} %`;
  const why = `${title} changed by ${points} on samples it was not fitted on, ${share}`;
  if (COUNTS_CLASSES_ALIKE.has(metric) && rarest.samples < LEAST_SAMPLES)
    return { decision: 'untold', why: `a class has fewer than ${LEAST_SAMPLES} samples to judge by: ${why}` };
  if (found.better >= PROVED) return { decision: 'take', why };
  return { decision: 'keep', why: `${why}, and ${100 * PROVED} % are asked for` };
}

function signed(value: number, digits: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
}
