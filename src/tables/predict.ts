import { count, flag } from '../options/row.ts';
import { scoringRows } from './evaluate.ts';
import { mergeRows } from './parts.ts';
import { thresholdRow } from './thresholds.ts';

/** The options of `predict`. */
export const predictRows = {
  ...scoringRows,
  ...mergeRows,
  /** How many of the most likely classes per sample; default 1. */
  topK: count('How many of the most likely classes per sample', { first: true, default: 1 }),
  /** For a multi-label model: the probability thresholds of the labels. Default: those that the file records, else 0.5. */
  threshold: { ...thresholdRow, more: 'Default: as the file records, else 0.5' },
  /** Also write the probabilities of all classes. */
  probabilities: flag('Also write the probabilities of all classes', { first: true }),
} as const;
