import type { Metrics } from './metrics.ts';
import type { Scaling } from './scaling.ts';

/** The record of an epoch. */
export interface EpochRecord extends Metrics, Partial<Scaling> {
  readonly arm: string;
  /** From 1 on; 0 is the given model. */
  readonly epoch: number;
  readonly phase: 'before' | 'first' | 'loss';
  /** At the epoch's end; `null` before training, as is the training loss. */
  readonly rate: number | null;
  readonly trainLoss: number | null;
  /** Unweighted cross-entropy, whatever the training loss is: comparable across losses. */
  readonly validationLoss: number;
  /** How the model lost what it knew, if it did. */
  readonly collapse?: string;
  readonly seconds: number;
  /** The time of the steps alone; none before training. For an interrupted epoch, the part after the interruption. */
  readonly trainSeconds?: number;
  /** The part of it in which the training thread waited for data. */
  readonly waitSeconds?: number;
  /** Channels per block in the training graph's forms; `null` for plain ones. */
  readonly block?: number | null;
}
