import type { EpochRecord } from './epoch.ts';
import type { Scaling } from './scaling.ts';

/** The progress of a training after a run of its graph. */
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
  /** Until the end of training; `null` before a few seconds of steps were timed. */
  readonly secondsLeft: number | null;
}

/** Samples, or whatever else is counted. */
export interface RunProgress {
  readonly done: number;
  readonly total: number;
}

/** The events of a training. */
export type TrainEvent =
  /** Before the first step: notes on the data. */
  | { readonly kind: 'note'; readonly text: string }
  /** Samples whose frozen layers were computed. */
  | ({ readonly kind: 'features' } & RunProgress)
  | ({ readonly kind: 'step' } & TrainProgress)
  | ({ readonly kind: 'epoch' } & EpochRecord);
