import type { GateVerdict } from '../metrics/gate.ts';
import type { Affine } from '../tuned/head.ts';
import type { CalibrationRecord } from './calibration.ts';

/** A trained model that was compared with the given one. */
export interface Candidate {
  readonly arm: string;
  /** 1: the trained weights; 0.5: those halfway between before and after. */
  readonly share: number;
  readonly verdict: GateVerdict;
  /** A fault beyond all figures; `null` if there is none. */
  readonly collapse: string | null;
  /** Where that is requested: a part of what was held against the model before, or left out. */
  readonly calibration?: CalibrationRecord;
}

/** The decision of a run: one of its models, or none if the given model is better. */
export interface RunDecision {
  /** The model that is written; `null`: the given model is kept. */
  readonly taken: { readonly arm: string; readonly share: number } | null;
  /** The state that is written. */
  readonly file: string | null;
  /** For a new last layer: whether its initial state is written if no trained model is taken, because it distinguishes classes already. */
  readonly startIsWritten?: boolean;
  /** One sentence for people, without a full stop. */
  readonly why: string;
  /** In the order in which they were tried. */
  readonly candidates: readonly Candidate[];
  /**
   * Class-wise z of validation losses over training losses for the given model: from 2 on the validation data are new to it. `null`:
   * unknown.
   */
  readonly newness: number | null;
  /** If samples may have several labels: the probability thresholds of the written model. */
  readonly thresholds?: readonly number[];
  /** The note on the validation data. */
  readonly warning: string | null;
}

/**
 * The map of scores that belongs to the written model, if there is one.
 *
 * @param arm the loss whose trained weights are written; default: what the run took.
 */
export function calibrationIn({ taken, candidates }: RunDecision, arm?: string): Affine | undefined {
  const [first] = candidates;
  const { share } = arm === undefined ? (taken ?? { share: 1 }) : { share: 1 };
  const name = arm ?? taken?.arm ?? first?.arm;
  const found = candidates.find((one) => one.arm === name && one.share === share)?.calibration;
  if (found?.decision !== 'take') return undefined;
  return { scale: Float64Array.from(found.scale), offset: Float64Array.from(found.offset) };
}
