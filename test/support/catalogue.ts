import { losses, optimizers, weightings } from '../../graphs/index.ts';
import type { LossName } from '../../src/choices.ts';
import type { Loss, Optimizer, Weighting } from '../../src/contract.ts';

/** The catalogue for names that only a run knows. */
export const lossesByName: Readonly<Record<string, Loss>> = losses;
export const optimizersByName: Readonly<Record<string, Optimizer>> = optimizers;
export const weightingsByName: Readonly<Record<string, Weighting>> = weightings;

export const LOSS_NAMES = Object.keys(losses) as readonly LossName[];
