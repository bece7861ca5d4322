import type { Dataset } from '../../data/dataset.ts';
import { classesRow } from '../../data/options.ts';
import { option } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';
import { choice, flag, given, group, isFunction, isWhole, number, type RunRows, value } from '../../options/row.ts';
import { none, own, within } from './settings.ts';

const isDataset = (data: unknown): data is Dataset => isRecord(data) && data.columns instanceof Map;
const isShare = (data: unknown): data is Dataset | number => typeof data === 'number' || isDataset(data);

const isAlpha = (alpha: number): boolean => alpha >= 0;

/** Data, their split, their classes, and their augmentation. */
export const dataRows = {
  data: value('data, as openData gives them', isDataset, '', { ...within, first: true, required: true }),
  /** Data for choosing the best epoch, or the share of `data` held out for it, class by class. Default 0.2. */
  validation: value(
    'data, or a share of them',
    isShare,
    `Data for validation, or the share of ${option('data')} to hold out for it, class by class (default 0.2)`,
    { ...within, first: true },
  ),
  /**
   * Judges by stratified cross-validation, if the last epoch is taken: this many trainings, each on all but one fold, are judged on the
   * fold left out; then it trains on all samples. 1: never. Default: 1; 5 with a method other than the default, if too few samples of a
   * class would be held out.
   */
  folds: number(
    'Judge by stratified cross-validation with this many folds, then train on all samples; 1: hold out a share ' +
      '(default 1; with methods other than half and auto 5 if fewer than 4 samples of a class would be held out from small data)',
    'a whole number from 1 to 20',
    (folds) => isWhole(folds) && folds >= 1 && folds <= 20,
    within,
  ),
  /**
   * If a share is held out and the trained model is better, its training is repeated on all samples, from the same weights and for as many
   * epochs, and that model is written: no data judge it, but tiny classes need every sample. Needs `select: 'last'`. Default: with a method and
   * up to 20,000 samples.
   */
  refit: value(
    'true or false',
    (given): given is boolean => typeof given === 'boolean',
    'Repeat the training that was taken on all samples, those held out too, and write that (default: up to 20,000 samples, ' +
      `with a method and the last epoch)`,
    {
      ...none,
      bare: true,
      reads: 'nothing after it',
      parse: (text: string) => (text === '' ? true : undefined),
      switches: {
        'no-refit': {
          value: false,
          describe: 'Write the weights that were judged, which have not seen the held-out samples',
        },
      },
    },
  ),
  /** Judged once, at the end: nothing is chosen by it. */
  test: value(
    'data, as openData gives them',
    isDataset,
    'Data to evaluate once, at the end; they influence no decision',
    {
      ...within,
      first: true,
    },
  ),
  /** Names of the model's classes, in the order of its scores. Default: those in the file, or in config.json beside it. */
  classNames: { ...classesRow, ...none, flag: false } as const,
  /**
   * Trains even if the model's predictions contradict the labels: if it is right far less often than chance, or would be right with its
   * classes in another order.
   */
  trustLabels: flag('Train even if the untouched model suggests a different class order', none),
  /** Called before training with notes on the data, such as how labels were matched with classes. */
  onNote: given<(note: string) => void>('a function', isFunction),
  /**
   * Standardizes columns of numbers by their mean and deviation over the training rows, for a model trained on such columns: the written
   * model does this itself and takes columns as they are.
   */
  standardize: flag(
    'Subtract the mean of every column of numbers and divide by its deviation, fitted on the training rows, for a model that was trained on such ' +
      'columns; the written model does so itself, and takes them as they are',
    own,
  ),
  augmentation: group(
    {
      /** Pads every side by this many black pixels and crops the image's own size at a random place. Default 0. */
      padding: number(
        'Random crops: pad images by this many pixels on every side, then crop the original size',
        'a whole number of pixels, at least 0',
        isWhole,
        {},
      ),
      /** Mirrors half of the images left to right. */
      flip: flag('Mirror half of the images', {}),
      /** α of mixup: every step's samples are mixed with one another, in shares from Beta(α, α), and so are their labels. Default 0: never. */
      mixup: number(
        'mixup: mix the samples of a step with one another, and their labels, in shares drawn from Beta(α, α), such as 0.2',
        'α, a number of 0 or more',
        isAlpha,
        {},
      ),
      /** α of CutMix: a box of each image is that of another one, its area drawn from Beta(α, α). With `mixup` each step does one of both. */
      cutmix: number(
        'CutMix: replace a box of each image by that of another one, its area drawn from Beta(α, α), such as 1',
        'α, a number of 0 or more',
        isAlpha,
        {},
      ),
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
} as const satisfies RunRows;
