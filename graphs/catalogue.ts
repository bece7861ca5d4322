import type { Loss, Optimizer, Weighting } from '../src/contract.ts';
import { balancedSoftmax } from './losses/balancedSoftmax.ts';
import { crossEntropy } from './losses/crossEntropy.ts';
import { focal } from './losses/focal.ts';
import { ib } from './losses/ib.ts';
import { ibFocal } from './losses/ibFocal.ts';
import { labelSmoothing } from './losses/labelSmoothing.ts';
import { ldam } from './losses/ldam.ts';
import { logitAdjustment } from './losses/logitAdjustment.ts';
import { poly1 } from './losses/poly1.ts';
import { vectorScaling } from './losses/vectorScaling.ts';
import { adam, adamw } from './optimizers/adam.ts';
import { sgd } from './optimizers/sgd.ts';
import { effective, inverse, none } from './weights.ts';

/** The losses by name. */
export const losses: Readonly<Record<string, Loss>> = {
  ce: crossEntropy,
  focal,
  ib,
  'ib-focal': ibFocal,
  ldam,
  'balanced-softmax': balancedSoftmax,
  'logit-adjustment': logitAdjustment,
  'vector-scaling': vectorScaling,
  'label-smoothing': labelSmoothing,
  poly1,
};

/** The rules for class weights by name. */
export const weightings: Readonly<Record<string, Weighting>> = { none, inverse, effective };

/** The optimizers by name. */
export const optimizers: Readonly<Record<string, Optimizer>> = { sgd, adam, adamw };
