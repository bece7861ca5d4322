import type { GradientRule } from '../../src/contract.ts';
import * as activation from './activation.ts';
import * as attention from './attention.ts';
import * as conv from './conv.ts';
import * as elementwise from './elementwise.ts';
import * as indexing from './indexing.ts';
import * as linalg from './linalg.ts';
import * as movement from './movement.ts';
import * as none from './none.ts';
import * as normalization from './normalization.ts';
import * as pool from './pool.ts';
import * as recurrent from './recurrent.ts';
import * as reduction from './reduction.ts';
import * as resampling from './resampling.ts';
import * as softmax from './softmax.ts';
import { batchNormTrain } from './support/batchNorm.ts';

/** The gradient rules by operator: the export's name is the operator's. */
export const gradients: Readonly<Record<string, GradientRule>> = {
  ...none,
  ...elementwise,
  ...activation,
  ...linalg,
  ...movement,
  ...indexing,
  ...resampling,
  ...recurrent,
  ...reduction,
  ...conv,
  ...pool,
  ...normalization,
  ...softmax,
  ...attention,
  'lossgraft::BatchNormTrain': batchNormTrain,
};
