import type { Loss, Optimizer, Weighting } from '../contract.ts';
import { checkNeeds } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import { checkSchedule, DEFAULT_SCHEDULE, type Recipe, recipes, type Schedule } from '../records/schedule.ts';
import { trainRows } from '../tables/train.ts';
import type { Calculus } from '../transform/gradientOutputs.ts';

/** What there is by name. */
export interface Catalogue {
  readonly losses: Readonly<Record<string, Loss>>;
  readonly weightings: Readonly<Record<string, Weighting>>;
  readonly optimizers: Readonly<Record<string, Optimizer>>;
  readonly calculus: Calculus;
}

/** How a model is fine-tuned. Further keys are options of losses, weightings and the optimizer, such as `momentum`. */
export type TrainOptions = OptionsOf<typeof trainRows>;

/** Options that losses, weightings and the optimizer declare. */
export function declaredOptions(options: TrainOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && !Object.hasOwn(trainRows, key)),
  );
}

/** What a recipe settles, and what the user says before it. */
export interface Plan extends Recipe {
  readonly seed: number;
}

/** @throws LossgraftError `schedule` or `option-range` for options that do not go together. */
export function planOf(options: TrainOptions): Plan {
  const base = options.recipe === undefined ? DEFAULT_PLAN : recipes[options.recipe](options.epochs);
  const { epochs, learningRate, warmup, milestones, stepFactor, ibFrom, ibRateFactor } = options;
  const kind = options.schedule ?? (milestones === undefined ? base.schedule.kind : 'step');
  const given = { epochs, rate: learningRate, kind, warmup, milestones, gamma: stepFactor, ibFrom, ibRateFactor };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const schedule: Schedule = { ...base.schedule, ...stated };
  checkSchedule(schedule);
  checkNeeds(trainRows, options, {
    select: trainRows.select.default,
    ...options,
    schedule: kind,
    ibFrom: schedule.ibFrom,
  });
  const { batchSize = base.batchSize, seed = trainRows.seed.default } = options;
  return { ...base, schedule, batchSize, seed, augmentation: { ...base.augmentation, ...options.augmentation } };
}

const DEFAULT_PLAN: Recipe = {
  schedule: DEFAULT_SCHEDULE,
  batchSize: trainRows.batchSize.default,
  optimizer: trainRows.optimizer.default,
  optimizerOptions: {},
  augmentation: { padding: 0, flip: false },
};
