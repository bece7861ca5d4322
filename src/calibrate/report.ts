import type { Placement } from '../calibration/apply.ts';
import type { CalibrationDecision } from '../calibration/decide.ts';
import type { OptionsOf } from '../options/row.ts';
import type { DetailedMetrics } from '../records/metrics.ts';
import type { calibrateRows } from '../tables/calibrate.ts';

export type CalibrateOptions = OptionsOf<typeof calibrateRows>;

/** What was fitted, and its effect. */
export interface CalibrationReport {
  readonly model: string;
  readonly data: string;
  readonly samples: number;
  readonly method: NonNullable<CalibrateOptions['method']>;
  /** `null` for a temperature, which is fitted for the log loss. */
  readonly goal: NonNullable<CalibrateOptions['goal']> | null;
  readonly classNames: readonly string[] | null;
  /** The temperature or τ; `null` for biases, and for the temperatures of several labels. */
  readonly parameter: number | null;
  /** Whether the model returns probabilities instead of logits: then their logarithms are mapped, and a softmax follows. */
  readonly areProbabilities: boolean;
  /** Logits of class k become scale[k] · z + offset[k]. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** `tensors`: those of the last layer change, every other byte stays. `nodes`: nodes are added behind the scores. */
  readonly into: Placement['into'];
  readonly names: readonly string[];
  readonly folds: number;
  /** The model as it is. */
  readonly before: DetailedMetrics;
  /** The model after calibration, each fold judged by a fit on the others; `change` compares with before. */
  readonly after: DetailedMetrics;
  /** Whether it beats the given model, by the goal, on samples it was not fitted on. */
  readonly decision: CalibrationDecision;
  /** Notes for the user. */
  readonly notes: readonly string[];
}
