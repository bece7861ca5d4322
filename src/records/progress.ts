import type { EpochRecord } from './epoch.ts';
import type { Scaling } from './scaling.ts';

/** Where a training is, after a run of its graph. */
export interface TrainProgress extends Partial<Scaling> {
  readonly arm: string;
  /** Counted from 1, as is `step`. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly rate: number;
  /** Steps of the whole run. */
  readonly done: number;
  readonly total: number;
  /** Until the end of training; `null` until a few seconds of steps were timed. */
  readonly secondsLeft: number | null;
}

/** Samples, or whatever else is counted. */
export interface RunProgress {
  readonly done: number;
  readonly total: number;
}

/** What a training reports while it runs. */
export type TrainEvent =
  /** Before the first step: what is to be known of the data. */
  | { readonly kind: 'note'; readonly text: string }
  /** Samples of which the frozen layers were computed. */
  | ({ readonly kind: 'features' } & RunProgress)
  | ({ readonly kind: 'step' } & TrainProgress)
  | ({ readonly kind: 'epoch' } & EpochRecord);
