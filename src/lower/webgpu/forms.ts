import type { NodeForms } from '../adapt.ts';
import * as activation from './activation.ts';
import * as arithmetic from './arithmetic.ts';
import * as convolution from './convolution.ts';
import * as movement from './movement.ts';
import * as normalization from './normalization.ts';
import * as recurrent from './recurrent.ts';
import * as reduction from './reduction.ts';
import * as scan from './scan.ts';

/** Forms of standard operators for which WebGPU's provider has no kernel, or one that computes other numbers, by operator. */
export const webgpuForms: NodeForms = {
  ...activation,
  ...arithmetic,
  ...convolution,
  ...movement,
  ...normalization,
  ...recurrent,
  ...reduction,
  ...scan,
};
