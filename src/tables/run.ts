import { choice, count, given, isFunction } from '../options/row.ts';
import type { RunProgress } from '../records/progress.ts';

/** Who computes. */
export const providerRow = choice(['cpu', 'cuda'], 'Who computes; cuda never falls back', { default: 'cpu' });

/** The options of `run`. */
export const runRows = {
  /** Default `cpu`. On `cuda` the first batch proves that CUDA computes it, and computes it right. */
  provider: { ...providerRow, first: true },
  /** Samples per run of the model; default 256. A model with a fixed batch takes that and nothing else. */
  batchSize: count('Samples per run; a fixed batch is taken as it is (default 256)', {}),
  /** Called after every batch. */
  onProgress: given<(progress: RunProgress) => void>('a function', isFunction),
} as const;
