import type { Decision } from '../metrics/gate.ts';

/** Ways to calibrate scores, whatever layer they come from. */
export const SCORE_METHODS = ['logit-adjustment', 'temperature', 'biases'] as const;

export type ScoreMethod = (typeof SCORE_METHODS)[number];

/** A calibration of a trained model, fitted on validation data. */
export interface CalibrationRecord {
  readonly method: ScoreMethod;
  /** The temperature or τ; `null` for biases. */
  readonly parameter: number | null;
  /** Logits of class k become scale[k] · z + offset[k]. */
  readonly scale: readonly number[];
  readonly offset: readonly number[];
  /** `take`: it beats the trained model on samples it was not fitted on, and becomes part of it. Otherwise it is left out. */
  readonly decision: Decision;
  /** One sentence for people, without a full stop. */
  readonly why: string;
}
