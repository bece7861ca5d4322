import type { MetricName } from '../metrics/metrics.ts';
import type { PairedT } from '../metrics/pairedT.ts';

/** A metric over runs with several seeds. */
export interface Spread {
  readonly mean: number;
  /** With n − 1. */
  readonly sd: number;
  /** One for each seed. */
  readonly values: readonly number[];
}

/** A metric's value for the model of each seed; `null` if undefined. */
export interface SeedRow {
  /** `before`, or a loss. */
  readonly name: string;
  readonly metrics: Readonly<Partial<Record<MetricName, Spread>>>;
  /** Against the given model, pair by pair; `null` for the given model itself. */
  readonly change: Readonly<Partial<Record<MetricName, PairedT>>> | null;
  /** Against the first loss; `null` for that loss itself and the given model. */
  readonly againstFirst: Readonly<Partial<Record<MetricName, PairedT>>> | null;
}

/** Runs that differ only in their seed. */
export interface SeedSummary {
  readonly runs: readonly {
    readonly seed: number;
    readonly folder: string;
    /** Whether its gate took a model. */
    readonly isTaken: boolean;
    /** The rank of accepted models: the gain in the goal's metric on validation data. */
    readonly gain: number | null;
  }[];
  /** The seed whose model is written; `null`: none. */
  readonly chosen: number | null;
  readonly judgedOn: 'test' | 'validation' | 'out-of-fold';
  readonly rows: readonly SeedRow[];
}
