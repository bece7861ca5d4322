import { type ClassCounts, isCounts } from '../classCounts.ts';
import type { Configured, GradientRule, Loss, Weighting } from '../contract.ts';
import { option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { choice, count, flag, given, isFunction, isText, names, text, value } from '../options/row.ts';
import { TASK_NAMES } from '../task.ts';

/** Where a loss is grafted, and the names of its inputs and outputs. */
export const placeRows = {
  /** The scores before the softmax, [N, C]. */
  logits: text('Name of the tensor of scores before the softmax, [N, C]', { settings: 'within' }),
  /** The input of the last linear layer, [N, D]. */
  features: text('Name of the tensor that the last linear layer reads, [N, D]', { settings: 'within' }),
  /** `features` holds the norms themselves, [N] or [N, 1]. */
  featuresAreNorm: flag(`${option('features')} names a tensor of norms, [N] or [N, 1]`, { settings: 'within' }),
  /** The task. Default: that of the loss, or of the head; `train` looks at the labels. */
  task: choice(
    TASK_NAMES,
    'What labels say. exclusive: each sample has one class; multi-label: each has any number of labels (default: as the head and the labels tell)',
    { settings: 'within' },
  ),
  /** Other names for lossgraft's inputs and outputs. */
  rename: names('Other names for lossgraft’s inputs and outputs: labels=target,loss=ib_loss', 'labels=target', {
    settings: 'within',
  }),
};

/** A name from `losses`, a loss, or one with options. */
export type LossChoice = string | Loss | Configured<Loss>;

/** A name from `weightings`, a weighting, one with options, or one weight per class in the order of the scores. */
export type WeightsChoice = string | readonly number[] | Weighting | Configured<Weighting>;

const isLoss = (given: unknown): given is LossChoice => isChoice(given, 'build');
/** The same, also with weights by the names of the classes. */
export type GivenWeights = WeightsChoice | Readonly<Record<string, number>>;

const isWeights = (given: unknown): given is GivenWeights => isByClass(given) || isChoice(given, 'weights');

/** Whether it is a number for each class, in a list or by name. */
export function isByClass(given: unknown): given is ClassCounts {
  return isCounts(given) && (Array.isArray(given) || Object.keys(given).length > 0);
}

async function parseWeights(text: string): Promise<ClassCounts> {
  return (await import('../data/counts.ts')).readWeights(text);
}

/** Whether it is a name, an entry with that method, or the result of calling one. */
export function isChoice(given: unknown, method: string): boolean {
  if (isText(given)) return true;
  if (!isRecord(given) && typeof given !== 'function') return false;
  return method in given || ('of' in given && isChoice(given.of, method) && !isText(given.of));
}

/** The loss, by name or as a value. */
export const lossRow = value('a name or a loss', isLoss, 'Which loss', {
  first: true,
  registry: 'losses',
  settings: 'within',
});

export const WEIGHTS_FILE =
  '3,1,… or ant=3,bee=1,… or FILE (.json, .csv, .npy): one weight per class, in the order of the scores or by name';

/** The class weights. */
export const classWeightsRow = value('a name, a weighting, or one weight per class', isWeights, 'How classes weigh', {
  first: true,
  registry: 'weightings',
  settings: 'within',
  parse: async (given: string) => (/[=,]|\.(json|csv|npy)$/i.test(given) ? parseWeights(given) : given),
});

/** An alias. */
export const weightsRow = { ...classWeightsRow, flag: false, excludes: ['classWeights'] } as const;

/** For a multi-label loss: PyTorch's pos_weight. */
export const positiveWeightsRow = value(
  'numbers from 0 on, one per label, in a list or by name',
  (given): given is ClassCounts => isByClass(given) && Object.values(given).every((weight) => weight >= 0),
  "Multi-label: one weight per label for the samples that have it, as PyTorch's pos_weight: 3,5,… or ant=3,bee=5,… or a file",
  {
    settings: 'within',
    excludes: ['classWeights'],
    parse: parseWeights,
  },
);

/** Custom rules. */
export const gradientsRow = given<Readonly<Record<string, GradientRule>>>(
  'an object of gradient rules by operator',
  (rules) => isRecord(rules) && Object.values(rules).every(isFunction),
);

/** The options of every verb that grafts a loss for a file. */
export const graftRows = {
  /** A name from `losses`, or a custom loss. */
  loss: { ...lossRow, required: true },
  /**
   * Samples of each class in the training data, in the order of the scores or by name: for class weights, and for losses that need them.
   */
  classCounts: value(
    'a list of numbers, or numbers by the names of the classes',
    isCounts,
    'Number of training samples in each class: 5000,2997,… or ant=5000,bee=2997,… or a file: .json, .csv, or an .npy of labels to count',
    { first: true, parse: async (given: string) => (await import('../data/counts.ts')).readCounts(given) },
  ),
  /** A name from `weightings`, or one weight per class. Default: `inverse` with counts, `none` without, and `none` for a loss with `needsCounts`. */
  classWeights: {
    ...classWeightsRow,
    more: `${WEIGHTS_FILE}\nDefault: inverse with ${option('classCounts')}, none without; always none for losses built from the counts`,
  },
  /** The same as `classWeights`. */
  weights: weightsRow,
  positiveWeights: positiveWeightsRow,
  /** The total number of training samples, if a sample may have several labels: `classCounts` do not tell. */
  sampleCount: count('Multi-label: number of training samples, which class counts do not tell', {}),
  /** How the output `loss` combines the samples. Default `mean`: divided by N, never by the sum of the weights. */
  reduction: choice(
    ['mean', 'sum', 'none'],
    'How the output loss combines the samples; mean divides by N, never by the sum of the weights',
    { default: 'mean' },
  ),
  /** Gradient rules by operator, which override lossgraft's own. */
  gradients: gradientsRow,
  ...placeRows,
} as const;
