import { choice, count, number } from '../options/row.ts';
import { costsRow } from './costs.ts';
import { intervalSeedRow, scoringRows } from './evaluate.ts';
import { graftRows } from './graft.ts';

/** The options of `calibrate`. */
export const calibrateRows = {
  /** The method; default `logit-adjustment`. */
  method: choice(
    ['logit-adjustment', 'temperature', 'biases', 'tau-norm'],
    'What to change: subtract τ · log of the class shares, divide logits by a temperature, add a bias per class, or divide weights by their norms to the power τ',
    { first: true, default: 'logit-adjustment' },
  ),
  /** The goal of fitting τ and biases; default `macro-f1`. A temperature is fitted for the log loss. */
  goal: choice(
    ['macro-f1', 'balanced', 'accuracy', 'g-mean', 'mcc', 'cost'],
    'What to improve, for all methods but temperature',
    { first: true, default: 'macro-f1' },
  ),
  /** τ of `logit-adjustment` and `tau-norm`. Default: fitted, 0 to 2. */
  tau: number('τ of logit-adjustment and tau-norm (default: fitted, 0 to 2)', 'a number from 0 on', (tau) => tau >= 0, {
    first: true,
  }),
  /** Training samples of each class, for `logit-adjustment`. Default: those of the data. */
  classCounts: {
    ...graftRows.classCounts,
    describe: `${graftRows.classCounts.describe} (default: from the data)`,
    first: false,
  },
  /** The costs of wrong predictions, for `goal: "cost"`. */
  costs: costsRow,
  /** The number of folds; the report judges each fold by a fit on the others. Default 5. */
  folds: count('Parts of the data: each part is judged by a fit on the others', { default: 5 }),
  /** The seed of folds and intervals. Default 0. */
  seed: intervalSeedRow,
  ...scoringRows,
} as const;
