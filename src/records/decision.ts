import type { GateVerdict } from '../metrics/gate.ts';
import type { CalibrationRecord } from './calibration.ts';

/** A trained model that was held against the one before. */
export interface Candidate {
  readonly arm: string;
  /** 1: the trained weights; 0.5: those half-way between before and after. */
  readonly share: number;
  readonly verdict: GateVerdict;
  /** What is wrong with it beyond all figures; `null` where nothing is. */
  readonly collapse: string | null;
  /** Where that is requested: a part of what was held against the model before, or left out. */
  readonly calibration?: CalibrationRecord;
}

/** What a run came to: one of its models, or none, as the model before is better. */
export interface RunDecision {
  /** What is written; `null`: the model before is kept. */
  readonly taken: { readonly arm: string; readonly share: number } | null;
  /** The state that is written. */
  readonly file: string | null;
  /** Of a new last layer: whether it is written as it began, where none is taken, since it tells classes apart already. */
  readonly startIsWritten?: boolean;
  /** A sentence for people, without a full stop. */
  readonly why: string;
  /** In the order in which they were tried. */
  readonly candidates: readonly Candidate[];
  /** Class-wise z of validation losses over training losses, of the model before: from 2 on the validation data are new to it. `null`: unknown. */
  readonly newness: number | null;
  /** Where samples may have several labels: from which probabilities on the model that is written predicts them. */
  readonly thresholds?: readonly number[];
  /** What to tell the user of the validation data. */
  readonly warning: string | null;
}
