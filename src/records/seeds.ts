import type { MetricName } from '../metrics/metrics.ts';
import type { PairedT } from '../metrics/pairedT.ts';

/** A figure over runs of several seeds. */
export interface Spread {
  readonly mean: number;
  /** With n − 1. */
  readonly sd: number;
  /** One for each seed. */
  readonly values: readonly number[];
}

/** What a metric came to in a model of each seed; `null` where it is not defined. */
export interface SeedRow {
  /** `before`, or a loss. */
  readonly name: string;
  readonly metrics: Readonly<Partial<Record<MetricName, Spread>>>;
  /** Against the model as it was given, pair by pair; `null` of that itself. */
  readonly change: Readonly<Partial<Record<MetricName, PairedT>>> | null;
  /** Against the first loss; `null` of that itself and of the model as it was given. */
  readonly againstFirst: Readonly<Partial<Record<MetricName, PairedT>>> | null;
}

/** Runs that differ in their seed alone. */
export interface SeedSummary {
  readonly runs: readonly {
    readonly seed: number;
    readonly folder: string;
    /** Whether its gate took a model. */
    readonly isTaken: boolean;
    /** By which those are ranked that were taken: the gain in the metric of the goal on validation data. */
    readonly gain: number | null;
  }[];
  /** Whose model is written; `null`: that of none. */
  readonly chosen: number | null;
  readonly judgedOn: 'test' | 'validation' | 'out-of-fold';
  readonly rows: readonly SeedRow[];
}
