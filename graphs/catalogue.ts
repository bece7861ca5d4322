import { balancedSoftmax } from './losses/balancedSoftmax.ts';
import { crossEntropy } from './losses/crossEntropy.ts';
import { focal } from './losses/focal.ts';
import { ib } from './losses/ib.ts';
import { ibFocal } from './losses/ibFocal.ts';
import { labelSmoothing } from './losses/labelSmoothing.ts';
import { ldam } from './losses/ldam.ts';
import { logitAdjustment } from './losses/logitAdjustment.ts';
import { asymmetric } from './losses/multiLabel/asymmetric.ts';
import { bce } from './losses/multiLabel/bce.ts';
import { distributionBalanced } from './losses/multiLabel/distributionBalanced.ts';
import { sigmoidFocal } from './losses/multiLabel/sigmoidFocal.ts';
import { sigmoidIb } from './losses/multiLabel/sigmoidIb.ts';
import { sigmoidIbFocal } from './losses/multiLabel/sigmoidIbFocal.ts';
import { zlpr } from './losses/multiLabel/zlpr.ts';
import { poly1 } from './losses/poly1.ts';
import { vectorScaling } from './losses/vectorScaling.ts';
import { adam, adamw } from './optimizers/adam.ts';
import { sgd } from './optimizers/sgd.ts';
import { effective, inverse, none, positive } from './weights.ts';

export {
  adam,
  adamw,
  asymmetric,
  balancedSoftmax,
  bce,
  crossEntropy,
  distributionBalanced,
  effective,
  focal,
  ib,
  ibFocal,
  inverse,
  labelSmoothing,
  ldam,
  logitAdjustment,
  none,
  poly1,
  positive,
  sgd,
  sigmoidFocal,
  sigmoidIb,
  sigmoidIbFocal,
  vectorScaling,
  zlpr,
};

/** The losses by name. */
export const losses = {
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
  bce,
  'sigmoid-focal': sigmoidFocal,
  asymmetric,
  'distribution-balanced': distributionBalanced,
  zlpr,
  'sigmoid-ib': sigmoidIb,
  'sigmoid-ib-focal': sigmoidIbFocal,
} as const;

/** The rules for class weights by name. */
export const weightings = { none, inverse, effective, positive } as const;

/** The optimizers by name. */
export const optimizers = { sgd, adam, adamw } as const;
