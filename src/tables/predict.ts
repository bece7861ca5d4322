import { count, flag } from '../options/row.ts';
import { scoringRows } from './evaluate.ts';

/** The options of `predict`. */
export const predictRows = {
  ...scoringRows,
  /** How many of the most likely classes per sample; default 1. */
  topK: count('How many of the most likely classes per sample', { first: true, default: 1 }),
  /** Also write the probabilities of all classes. */
  probabilities: flag('Also write the probabilities of all classes', { first: true }),
} as const;
