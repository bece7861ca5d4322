import type { GradientRule } from '../../src/contract.ts';
import * as elementwise from './elementwise.ts';
import * as reduction from './reduction.ts';

/** The gradient rules by operator: the export's name is the operator's. */
export const gradients: Readonly<Record<string, GradientRule>> = { ...elementwise, ...reduction };
