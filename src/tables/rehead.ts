import { classesRow } from '../data/options.ts';
import { option } from '../errors.ts';
import { choice, count, number, signalRow, text, texts } from '../options/row.ts';

const within = { settings: 'within' } as const;

/** Options that change the classes of a head. */
export const headRows = {
  /** `new`: a last layer for the classes of the data, in place of the model's. */
  head: choice(['new'], 'new: replace the last layer by one for the classes of the data', {
    ...within,
    first: true,
    excludes: ['addClasses', 'keepClasses', 'freshHead'],
  }),
  /** Classes to add; the rows of existing classes stay as they are. */
  addClasses: texts('Add these classes to the model’s; what it knows of the others stays: a,b', {
    ...within,
    excludes: ['freshHead'],
  }),
  /** Classes of the model to keep; the others are dropped. */
  keepClasses: texts('Keep these classes of the model and drop the others: a,b', within),
  /** The initial rows of new classes. Default `means`: from the class means of the features. */
  headInit: choice(
    ['means', 'zeros', 'random'],
    'Start of new rows: class means of the features (default), zeros, or random as PyTorch’s layers begin',
    within,
  ),
} as const;

/** The options of `rehead`. */
export const reheadRows = {
  /** The classes of a new last layer, in the order of its scores. */
  classes: {
    ...classesRow,
    describe: `Names of the new classes in the order of the scores: a,b,c, or a .txt or .json file (default: those of ${option('data')})`,
    first: true,
    excludes: ['addClasses', 'keepClasses'],
  } as const,
  addClasses: { ...headRows.addClasses, first: true, excludes: [] } as const,
  keepClasses: { ...headRows.keepClasses, first: true } as const,
  headInit: choice(
    ['means', 'zeros', 'random'],
    `Start of new rows: class means of the features (default with ${option('data')}), zeros (default without), or random`,
    { first: true },
  ),
  /** The scores before the softmax. Default: found automatically. */
  logits: text('Name of the tensor of scores before the softmax, [N, C] (default: found)', {}),
  seed: number(
    'Seed of random rows, and of the samples that means are taken of',
    'a whole number from 0 on',
    (n) => Number.isSafeInteger(n) && n >= 0,
    {
      default: 0,
    },
  ),
  batchSize: count('Samples at once, for class means', { default: 64 }),
  threads: count('Threads per operator (default: the number of cores)', {}),
  signal: signalRow,
} as const;
