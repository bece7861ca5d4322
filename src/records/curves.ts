import type { OperatingPoint, PrecisionRecallCurve } from '../metrics/precisionRecall.ts';

/** How the rare classes are told from all others, by the model as it was given and by the one that the run came to. */
export interface RunCurves {
  /** On the data that are judged, in the same order of classes: the rarest first. */
  readonly before: readonly PrecisionRecallCurve[];
  readonly after: readonly PrecisionRecallCurve[];
  /** Of the model that the run came to: thresholds that are chosen on validation data, and what they give on the data that are judged. */
  readonly points: readonly OperatingPoint[];
}

/** A sample that the model takes for another class. */
export interface WrongSample {
  readonly row: number;
  /** What the row is to the user. */
  readonly where: string;
  readonly label: number;
  readonly predicted: number;
  /** Of the class that it is predicted as. */
  readonly probability: number;
  /** Of its own class. */
  readonly truth: number;
}
