import type { Loss, Weighting } from '../src/contract.ts';
import { crossEntropy } from './losses/crossEntropy.ts';
import { focal } from './losses/focal.ts';
import { ib } from './losses/ib.ts';
import { ibFocal } from './losses/ibFocal.ts';
import { effective, inverse, none } from './weights.ts';

/** The losses by name. */
export const losses: Readonly<Record<string, Loss>> = {
  ce: crossEntropy,
  focal,
  ib,
  'ib-focal': ibFocal,
};

/** The rules for class weights by name. */
export const weightings: Readonly<Record<string, Weighting>> = { none, inverse, effective };
