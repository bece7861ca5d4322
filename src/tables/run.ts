import { classesRow } from '../data/options.ts';
import { choice, count, given, isFunction, signalRow } from '../options/row.ts';
import type { RunProgress } from '../records/progress.ts';
import { mergeRows } from './parts.ts';

/** The execution provider. */
export const providerRow = choice(
  ['cpu', 'cuda', 'webgpu', 'auto'],
  'Execution provider; neither cuda nor webgpu falls back to the CPU',
  {
    default: 'cpu',
  },
);

/** Options for running a model over data. */
export const modelRows = {
  /** Default `cpu`. On `cuda` and `webgpu` the first batch proves that the GPU computes it, and computes it right. */
  provider: { ...providerRow, first: true },
  /** Samples per run of the model; default 256. A model with a fixed batch size accepts only that. */
  batchSize: count('Samples per run (default 256; a model with a fixed batch size uses that)', {}),
  /** Names of the model's classes, in the order of its scores. Default: those in the file, or in config.json beside it. */
  classNames: { ...classesRow, flag: false } as const,
  /** Called before the model runs with notes on the data, such as how labels were matched with classes. */
  onNote: given<(note: string) => void>('a function', isFunction),
  /** Ends the run after the current batch. */
  signal: signalRow,
  /** Called after every batch. */
  onProgress: given<(progress: RunProgress) => void>('a function', isFunction),
} as const;

/** The options of `run`. */
export const runRows = { ...modelRows, ...mergeRows } as const;
