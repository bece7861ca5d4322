import type { Dataset } from '../data/dataset.ts';
import { classesRow } from '../data/options.ts';
import { option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { METRICS } from '../metrics/metrics.ts';
import {
  choice,
  count,
  flag,
  given,
  group,
  isFunction,
  isText,
  number,
  numbers,
  type RunRows,
  signalRow,
  text,
  texts,
  value,
} from '../options/row.ts';
import type { EpochRecord } from '../records/epoch.ts';
import { METHOD_NAMES, methods } from '../records/methods.ts';
import type { RunProgress, TrainEvent, TrainProgress } from '../records/progress.ts';
import { DEFAULT_SCHEDULE, type RecipeName, recipes } from '../records/schedule.ts';
import { costsRow } from './costs.ts';
import { classWeightsRow, gradientsRow, lossRow, placeRows, WEIGHTS_FILE, weightsRow } from './graft.ts';
import { providerRow } from './run.ts';
import { optimizerRow, stepRows, trainableRow } from './step.ts';

const isDataset = (data: unknown): data is Dataset => isRecord(data) && data.columns instanceof Map;
const isShare = (data: unknown): data is Dataset | number => typeof data === 'number' || isDataset(data);
const isPage = (path: unknown): path is string | false => path === false || isText(path);
const isAlpha = (alpha: unknown): alpha is number | 'auto' => alpha === 'auto' || typeof alpha === 'number';

const isPositive = (given: number): boolean => given > 0;
const isWhole = (given: number): boolean => Number.isSafeInteger(given) && given >= 0;

const within = { settings: 'within' } as const;
const own = { settings: 'own' } as const;
const none = { settings: 'none' } as const;

const dataRows = {
  data: value('data, as openData gives them', isDataset, '', { ...within, first: true, required: true }),
  /** Data to choose the best epoch by, or the share of `data` that is held out for it, class by class. Default 0.2. */
  validation: value(
    'data, or a share of them',
    isShare,
    `Data for validation, or the share of ${option('data')} to hold out for it, class by class (default 0.2)`,
    { ...within, first: true },
  ),
  /** Judged once, when all is done: nothing is chosen by it. */
  test: value('data, as openData gives them', isDataset, 'Data to evaluate once, at the end; they decide nothing', {
    ...within,
    first: true,
  }),
  /** Names of the model's classes, in the order of its scores. Default: those that the file, or config.json beside it, tells. */
  classNames: { ...classesRow, ...none, flag: false } as const,
  /**
   * Trains even where what the model says of the data speaks against the labels: where it is right far less often than by chance, or would be
   * right with its classes in another order.
   */
  trustLabels: flag('Train even if the untouched model suggests another order of its classes', none),
  /** Called before anything is trained with what is to be known of the data, such as how labels were matched with classes. */
  onNote: given<(note: string) => void>('a function', isFunction),
  augmentation: group(
    {
      /** Pads every side by this many black pixels and crops the image's own size at a random place. Default 0. */
      padding: number(
        'Random crops: pad images by this many pixels on every side, then crop the original size',
        'a whole number of pixels from 0 on',
        isWhole,
        {},
      ),
      /** Mirrors half of the images left to right. */
      flip: flag('Mirror half of the images', {}),
    },
    within,
  ),
  /** Cuts a long tail from balanced data: the largest class has `imbalance` times the samples of the smallest. */
  imbalance: number(
    'Cut a long tail from balanced data: the largest class keeps this many times the samples of the smallest',
    'a ratio of 1 or more, such as 100',
    (ratio) => ratio >= 1,
    within,
  ),
  /** Default `exp`. */
  imbalanceType: choice(['exp', 'step'], 'exp: a long tail; step: half of the classes are rare', {
    ...within,
    default: 'exp',
    needs: 'imbalance',
  }),
};

const folderRows = {
  /** The folder of checkpoints, metrics.jsonl, TensorBoard's event files and report.html. */
  folder: text(
    'The folder for checkpoints, metrics.jsonl, TensorBoard events and report.html (default: the output with .run for .onnx)',
    { ...none, required: true, flag: 'run' },
  ),
  /** What is done with a run that is in `folder` already: it is refused (`new`, the default), resumed, or replaced. */
  mode: choice(['new', 'resume', 'replace'], '', { ...none, flag: false, default: 'new' }),
  /** Where the page with the run's curves and figures goes; `false`: none is written. Default `report.html` in `folder`. */
  report: value('a path, or false', isPage, 'Where to write the report (default: report.html in the run’s folder)', {
    ...none,
    switches: { 'no-report': { value: false, describe: 'Write no report' } },
  }),
};

const lossRows = {
  /** How the model is corrected for the skew of the data, where no loss is asked for. Default: by `goal`. */
  method: choice(
    METHOD_NAMES,
    `${METHOD_NAMES.map((name) => `${name}: ${methods[name].describe}`).join('; ')} (default: by ${option('goal')})`,
    {
      ...within,
      first: true,
      excludes: ['loss', 'recipe'],
    },
  ),
  /** What is to gain: `macro-f1` (default), recall and precision of all classes, by half of a correction; `balanced-accuracy`, recall alone. */
  goal: choice(
    ['macro-f1', 'balanced-accuracy'],
    'What to gain. macro-f1: recall and precision of all classes (method half); balanced-accuracy: recall alone (method full)',
    { ...within, first: true, default: 'macro-f1' },
  ),
  /** A name from `losses`, or a loss of one's own, in place of a method. */
  loss: {
    ...lossRow,
    more: `Replaces ${option('method')}. The other defaults are then sgd, a constant rate of 0.01, 10 epochs and the best epoch`,
  },
  /** A name from `weightings`, or one weight per class. Default: `inverse` for the influence-balanced losses, `none` for others. */
  classWeights: {
    ...classWeightsRow,
    needs: 'loss',
    more: `${WEIGHTS_FILE}\nDefault: inverse for the influence-balanced losses, none for others. The training data give the counts`,
  },
  /** The same as `classWeights`. */
  weights: { ...weightsRow, needs: 'loss' } as const,
  /** A number, or `auto`: where the loss takes over, its mean is made that of the cross-entropy. */
  alpha: value(
    'a number, or auto',
    isAlpha,
    'A number (default 1000), or auto: scale the loss so that it starts with the mean of the cross-entropy',
    { ...own, reads: 'a number, or auto', parse: parseAlpha },
  ),
  /** Also trains with class-weighted cross-entropy, from the same start. */
  baseline: flag('Also train with class-weighted cross-entropy from the same start; on some data it wins', {
    ...within,
    first: true,
  }),
  /** Further losses to train with from the same start: `ce`, with class weights `ce+inverse`, with classes drawn equally often `ce+sampled`. */
  compare: texts('Also train with these losses from the same start: ce,ib-focal,ce+effective,ce+sampled', within),
  /** The loss of the first phase, with class weights as in `ldam+none`. Default `ce`, without. */
  firstLoss: text('The loss of the first phase, with class weights as in ldam+none (default: ce without weights)', {
    ...within,
    needs: 'ibFrom',
  }),
  ...placeRows,
};

const scheduleRows = {
  /** `ib-cifar`; options that are given override what the recipe sets. */
  recipe: choice(
    Object.keys(recipes) as RecipeName[],
    'ib-cifar: the IB authors’ training on CIFAR; options you pass override the recipe',
    within,
  ),
  /** Default: by the size of the data; 10 with a loss of one's choice. */
  epochs: count(`Passes over the data (default: depends on their size, mostly 12; 10 with ${option('loss')})`, {
    ...within,
    first: true,
  }),
  /** Default: by the network; 0.01 with a loss of one's choice. */
  learningRate: number(
    `The learning rate (default: 0.003, or 0.0001 for transformers and above 1.1 million weights; 0.01 with ${option('loss')})`,
    'a number above 0',
    isPositive,
    { ...within, first: true },
  ),
  schedule: choice(
    ['constant', 'step', 'cosine'],
    `How the learning rate changes (default cosine; constant with ${option('loss')})`,
    within,
  ),
  warmup: number(
    `Epochs over which the learning rate rises from 0 (default 1; 0 with ${option('loss')})`,
    'a number of epochs from 0 on',
    (n) => n >= 0,
    within,
  ),
  milestones: numbers(`Epochs after which to multiply the learning rate by ${option('stepFactor')}: 160,180`, {
    ...within,
    needs: 'schedule=step',
  }),
  /** Of the `step` schedule. */
  stepFactor: number(
    `Factor for the learning rate at each of ${option('milestones')}`,
    'a factor above 0, at most 1',
    (by) => by > 0 && by <= 1,
    {
      ...within,
      default: DEFAULT_SCHEDULE.gamma,
      needs: 'schedule=step',
    },
  ),
  /** Epochs of the first loss before the loss. Default 0. */
  ibFrom: number(
    'Epochs with the first loss before the loss takes over',
    'a whole number of epochs from 0 on',
    isWhole,
    {
      ...within,
      needs: 'loss',
      default: DEFAULT_SCHEDULE.ibFrom,
    },
  ),
  /** By what the learning rate is multiplied when the loss takes over. Default 0.01, as in the reference. */
  ibRateFactor: number('Factor for the learning rate when the loss takes over', 'a number above 0', isPositive, {
    ...within,
    default: DEFAULT_SCHEDULE.ibRateFactor,
    needs: 'ibFrom',
  }),
  batchSize: count('Samples per step', { ...within, default: 64 }),
  /** Of shuffling, the split, the long tail, augmentation and Dropout. Default 0. */
  seed: number('Seed of shuffling, split, long tail, augmentation and Dropout', 'a whole number from 0 on', isWhole, {
    ...within,
    default: 0,
  }),
};

/** What the trainer takes as it is. */
export const trainerRows = {
  /** Steps in one run of ONNX Runtime. Default: by the size of the weights. */
  stepsPerRun: count('Steps per run of ONNX Runtime (default: depends on the size of the weights)', own),
  /** Ends after so many epochs without a better figure of --select-by on the validation data. */
  patience: count(`Stop after this many epochs without a better ${option('selectBy')} on the validation data`, own),
  /** Which epoch is taken: the last, or the best on the validation data, which is the default with a loss of one's choice. */
  select: choice(
    ['best', 'last'],
    `Which epoch to keep (default last; best with ${option('loss')}, ${option('selectBy')} or ${option('patience')})`,
    within,
  ),
  /** What the best epoch is chosen by, on the validation data. Default: by `goal`; with a loss of one's choice `balanced`, balanced accuracy. `cost` needs `costs`. */
  selectBy: choice(
    Object.values(METRICS).map(({ option }) => option),
    `The metric that chooses the best epoch on the validation data (default: from ${option('goal')}; balanced with ${option('loss')})`,
    { ...within, needs: 'select=best' },
  ),
  /** What a wrong prediction costs: rows are true classes, columns predictions. */
  costs: { ...costsRow, ...own },
  /**
   * Whether what lies before everything that is trained is computed once for each sample and kept, with the same numbers: where it is worth
   * it (`auto`, the default), always (`on`: an error says why not), or never.
   */
  cacheFeatures: choice(
    ['auto', 'on', 'off'],
    'Compute frozen layers once per sample, not in every epoch (default auto: if nothing rules it out)',
    own,
  ),
  /**
   * Whether the training graph takes forms that are made for this machine's ONNX Runtime and CPU, which are faster: where they are proved to
   * compute the same (`auto`, the default), or never (`off`). No file ever holds them.
   */
  lower: choice(
    ['auto', 'off'],
    'Train with faster forms made for this machine (default auto: if they are proved to be right)',
    own,
  ),
  /** Default `cpu`. */
  provider: { ...providerRow, ...own },
  /**
   * Threads that compute one operator. A run may go on with another number: sums are then divided in other places, so that its weights may
   * differ in their last digits from those of a run that was never interrupted.
   */
  threads: count('Threads per operator (default: the number of cores)', none),
  /** Ends the run after the step that is under way; the checkpoint is written. */
  signal: signalRow,
  /** Hears everything; the others hear their part. */
  onEvent: given<(event: TrainEvent) => void>('a function', isFunction),
  onProgress: given<(progress: TrainProgress) => void>('a function', isFunction),
  onEpoch: given<(record: EpochRecord) => void>('a function', isFunction),
  /** While what is frozen is computed, before the first epoch. */
  onFeatures: given<(progress: RunProgress) => void>('a function', isFunction),
} as const;

/** The options of `train`. */
export const trainRows = {
  ...dataRows,
  ...lossRows,
  ...scheduleRows,
  /** A name from `optimizers`, or an optimizer of one's own. Default `adamw`; `sgd` with a loss of one's choice. */
  optimizer: { ...optimizerRow, describe: `Which optimizer (default adamw; sgd with ${option('loss')})` },
  /** `head`, `all`, or patterns. Default `all`. */
  trainable: { ...trainableRow, default: 'all' },
  ...stepRows,
  /** Gradient rules by operator, which go before lossgraft's own. */
  gradients: gradientsRow,
  ...trainerRows,
  ...folderRows,
} as const satisfies RunRows;

function parseAlpha(text: string): number | 'auto' | undefined {
  if (text === 'auto') return text;
  return text.trim() === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);
}
