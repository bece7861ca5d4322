import { losses, optimizers, weightings } from '../../graphs/index.ts';
import type { LossName } from '../../src/choices.ts';
import type { Loss, Optimizer, Weighting } from '../../src/contract.ts';

/** The catalogue for names that only a run knows. */
export const lossesByName: Readonly<Record<string, Loss>> = losses;
export const optimizersByName: Readonly<Record<string, Optimizer>> = optimizers;
export const weightingsByName: Readonly<Record<string, Weighting>> = weightings;

export const LOSS_NAMES = Object.keys(losses) as readonly LossName[];

/** Those for exclusive classes, and those for labels of which a sample may have several. */
export const EXCLUSIVE_LOSSES: readonly LossName[] = LOSS_NAMES.filter(
  (name) => lossesByName[name]?.task === undefined,
);
export const MULTI_LABEL_LOSSES: readonly LossName[] = LOSS_NAMES.filter((name) => !EXCLUSIVE_LOSSES.includes(name));
