import type { BlockedRule } from '../../src/contract.ts';
import * as batchNorm from './batchNorm.ts';
import * as conv from './conv.ts';
import * as elementwise from './elementwise.ts';
import * as linear from './linear.ts';
import * as pool from './pool.ts';

/** Forms of operators and composites on channels in blocks, by name: for lossgraft's own CPU session, never for a file. */
export const blocked: Readonly<Record<string, BlockedRule>> = {
  ...conv,
  ...linear,
  ...pool,
  ...batchNorm,
  ...elementwise,
};
