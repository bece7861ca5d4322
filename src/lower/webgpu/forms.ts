import type { NodeForms } from '../adapt.ts';
import * as arithmetic from './arithmetic.ts';
import * as normalization from './normalization.ts';

/** Forms of standard operators for which WebGPU's provider has no kernel, or one that computes other numbers, by operator. */
export const webgpuForms: NodeForms = { ...arithmetic, ...normalization };
