import { option } from '../../errors.ts';
import { choice, count, isPositive, isWhole, number, numbers, type RunRows } from '../../options/row.ts';
import { DEFAULT_SCHEDULE, type RecipeName, recipes } from '../../records/schedule.ts';
import { none, within } from './settings.ts';

/** How long and how fast it trains. */
export const scheduleRows = {
  /** `ib-cifar`; given options override the recipe. */
  recipe: choice(
    Object.keys(recipes) as RecipeName[],
    'ib-cifar: the IB authors’ training on CIFAR; options you pass override the recipe',
    within,
  ),
  /** Default: by the size of the data; 10 with an explicit loss. */
  epochs: count(`Passes over the data (default: depends on their size, mostly 12; 10 with ${option('loss')})`, {
    ...within,
    first: true,
  }),
  /** Default: by the network; 0.01 with an explicit loss. */
  learningRate: number(
    `The learning rate (default: 0.003, or 0.0001 where attention or above 1.1 million weights are trained; 0.01 with ${option('loss')})`,
    'a number above 0',
    isPositive,
    within,
  ),
  schedule: choice(
    ['constant', 'step', 'cosine'],
    `How the learning rate changes (default cosine; constant with ${option('loss')})`,
    within,
  ),
  warmup: number(
    `Epochs over which the learning rate rises from 0 (default 1; 0 with ${option('loss')})`,
    'a number of epochs, at least 0',
    (n) => n >= 0,
    within,
  ),
  milestones: numbers(`Epochs after which to multiply the learning rate by ${option('stepFactor')}: 160,180`, {
    ...within,
    needs: 'schedule=step',
  }),
  /** For the `step` schedule. */
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
    'a whole number of epochs, at least 0',
    isWhole,
    {
      ...within,
      needs: 'loss',
      default: DEFAULT_SCHEDULE.ibFrom,
    },
  ),
  /** The factor on the learning rate when the loss takes over. Default 0.01, as in the reference. */
  ibRateFactor: number('Factor for the learning rate when the loss takes over', 'a number above 0', isPositive, {
    ...within,
    default: DEFAULT_SCHEDULE.ibRateFactor,
    needs: 'ibFrom',
  }),
  batchSize: count('Samples per step', { ...within, default: 64 }),
  /** The seed of shuffling, the split, the long tail, augmentation and Dropout. Default 0. */
  seed: number('Seed of shuffling, split, long tail, augmentation and Dropout', 'a whole number from 0 on', isWhole, {
    ...within,
    default: 0,
  }),
  /** The seed of only the split and the long tail. Default: `seed`. */
  splitSeed: number(
    `Seed of the split and the long tail alone (default: ${option('seed')})`,
    'a whole number from 0 on',
    isWhole,
    within,
  ),
  /** The number of runs that differ only in their seed, from `seed` on: one table covers all, and the best accepted model is written. */
  seeds: count(
    `Train with so many seeds, from ${option('seed')} on, and show mean and deviation; writes the best of those that are not refused`,
    none,
  ),
} as const satisfies RunRows;
