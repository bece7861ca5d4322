import type { OperatingPoint, PrecisionRecallCurve } from '../metrics/precisionRecall.ts';

/** How well the given and the final model distinguish the rare classes from all others. */
export interface RunCurves {
  /** On the judged data, the rarest class first in both. */
  readonly before: readonly PrecisionRecallCurve[];
  readonly after: readonly PrecisionRecallCurve[];
  /** For the final model: thresholds chosen on validation data, and their results on the judged data. */
  readonly points: readonly OperatingPoint[];
}

/** A misclassified sample. */
export interface WrongSample {
  readonly row: number;
  /** The user's name for the row. */
  readonly where: string;
  readonly label: number;
  readonly predicted: number;
  /** The probability of the predicted class. */
  readonly probability: number;
  /** The probability of its own class. */
  readonly truth: number;
}
