import { isWhole, number, text } from '../options/row.ts';
import { costsRow } from './costs.ts';
import { runRows } from './run.ts';

/** How a classifier is run over data, whatever for. */
export const scoringRows = {
  /** The scores before the softmax, [N, C]; or, of two classes, the logit of the second, [N] or [N, 1]. Default: found. */
  logits: text('The scores before the softmax, [N, C], or the logit of the second of two classes (default: found)', {}),
  ...runRows,
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
