import { classesRow } from '../data/options.ts';
import { count, given, isFunction, isWhole, number, signalRow, text } from '../options/row.ts';
import type { RunProgress } from '../records/progress.ts';
import { costsRow } from './costs.ts';
import { providerRow } from './run.ts';

/** How a classifier is run over data, whatever for. */
export const scoringRows = {
  /** The scores before the softmax, [N, C]; or, of two classes, the logit of the second, [N] or [N, 1]. Default: found. */
  logits: text('The scores before the softmax, [N, C], or the logit of the second of two classes (default: found)', {}),
  /** Default `cpu`. On `cuda` the first batch proves that CUDA computes it, and computes it right. */
  provider: { ...providerRow, first: true },
  /** Samples per run of the model; default 256. A model with a fixed batch takes that and nothing else. */
  batchSize: count('Samples per run (default 256; a model with a fixed batch size uses that)', {}),
  /** Names of the model's classes, in the order of its scores. Default: those that the file, or config.json beside it, tells. */
  classNames: { ...classesRow, flag: false } as const,
  /** Called before the model runs with what is to be known of the data, such as how labels were matched with classes. */
  onNote: given<(note: string) => void>('a function', isFunction),
  /** Ends the run after the batch that is under way. */
  signal: signalRow,
  /** Called after every batch. */
  onProgress: given<(progress: RunProgress) => void>('a function', isFunction),
} as const;

/** The seed of intervals. */
export const intervalSeedRow = number(
  'Seed of the bootstrap draws for the intervals',
  'a whole number from 0 on',
  isWhole,
  {
    default: 0,
  },
);

/** The options of `evaluate`. */
export const evaluateRows = {
  ...scoringRows,
  /** What a wrong prediction costs: rows are true classes, columns predictions. The table has the metric `cost` then. */
  costs: { ...costsRow, first: true },
  /** Of the draws that give intervals and comparisons. Default 0. */
  seed: intervalSeedRow,
} as const;
