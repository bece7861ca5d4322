import { count, flag } from '../options/row.ts';
import { scoringRows } from './evaluate.ts';

/** The options of `predict`. */
export const predictRows = {
  ...scoringRows,
  /** How many of the likeliest classes of each sample; default 1. */
  topK: count('How many of the likeliest classes of each sample', { first: true, default: 1 }),
  /** The probabilities of all classes, too. */
  probabilities: flag('The probabilities of all classes, too', { first: true }),
} as const;
