import { choice, isWhole, number, text } from '../options/row.ts';
import { TASK_NAMES } from '../task.ts';
import { costsRow } from './costs.ts';
import { mergeRows } from './parts.ts';
import { modelRows } from './run.ts';
import { thresholdRow } from './thresholds.ts';

/** Options for running a classifier over data. */
export const scoringRows = {
  /** The scores before the softmax, [N, C]; or, for two classes, the logit of the second, [N] or [N, 1]. Default: found automatically. */
  logits: text('The scores before the softmax, [N, C], or the logit of the second of two classes (default: found)', {}),
  /** The task. Default: from the labels, the file or its folder. */
  task: choice(
    TASK_NAMES,
    'exclusive: one class per sample; multi-label: any number of labels (default: as labels and file tell)',
    {},
  ),
  ...modelRows,
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
  ...mergeRows,
  /** For a multi-label model: the probability thresholds of the labels. Default: those that the file records, else 0.5. */
  threshold: {
    ...thresholdRow,
    more: 'tune: those with the highest F1, judged in halves of the data, each at the thresholds of the other (default: as the file records, else 0.5)',
  },
  /** The costs of wrong predictions: rows are true classes, columns are predictions. Adds the metric `cost`. */
  costs: { ...costsRow, first: true },
  /** The seed of intervals and comparisons. Default 0. */
  seed: intervalSeedRow,
} as const;
