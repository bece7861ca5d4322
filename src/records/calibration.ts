import type { Decision } from '../metrics/gate.ts';

/** Ways to calibrate scores alone, whatever layer they come from. */
export const SCORE_METHODS = ['logit-adjustment', 'temperature', 'biases'] as const;

export type ScoreMethod = (typeof SCORE_METHODS)[number];

/** A calibration that was fitted to a trained model on validation data. */
export interface CalibrationRecord {
  readonly method: ScoreMethod;
  /** The temperature or τ; `null` for biases. */
  readonly parameter: number | null;
  /** Logits of class k become scale[k] · z + offset[k]. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** `take`: better than the trained model on samples it was not fitted on, and a part of it. Else it is left out. */
  readonly decision: Decision;
  /** One sentence for people, without a full stop. */
  readonly why: string;
}
