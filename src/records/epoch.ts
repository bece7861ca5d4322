import type { Metrics } from './metrics.ts';
import type { Scaling } from './scaling.ts';

/** What is known of an epoch. */
export interface EpochRecord extends Metrics, Partial<Scaling> {
  readonly arm: string;
  /** From 1 on; 0 is the model as it was given. */
  readonly epoch: number;
  readonly phase: 'before' | 'first' | 'loss';
  /** At the epoch's end; `null` before training, as is the training loss. */
  readonly rate: number | null;
  readonly trainLoss: number | null;
  /** Unweighted cross-entropy, whatever the training loss is: comparable across losses. */
  readonly validationLoss: number;
  /** Where the model has lost what it knew: in which way. */
  readonly collapse?: string;
  readonly seconds: number;
  /** Of the steps alone; none before training. Of an epoch that was interrupted, what came after. */
  readonly trainSeconds?: number;
  /** Of these, those in which the training thread had no data to work on. */
  readonly waitSeconds?: number;
  /** Channels in a block of the training graph's forms; `null` for plain ones. */
  readonly block?: number | null;
}
