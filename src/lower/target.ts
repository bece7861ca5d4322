import type { Emitter } from '../emit/index.ts';
import { adapt } from './adapt.ts';
import { type Expansions, expand } from './expand.ts';
import { webgpuForms } from './webgpu/forms.ts';

/** Whose kernels a graph is written for. `any` is plain ONNX in the forms that are fastest on a CPU, and those of CUDA too. */
export type Target = 'any' | 'cpu' | 'cuda' | 'webgpu';

/** Composites in standard operators, by where they run. */
export interface TargetForms {
  readonly expansions: Expansions;
  readonly webgpuExpansions: Expansions;
}

/** Writes a graph's composites in standard operators, and gives operators the form that the target has kernels for, in place. */
export function expandFor(op: Emitter, target: Target, forms: TargetForms): void {
  expand(op, target === 'webgpu' ? forms.webgpuExpansions : forms.expansions);
  if (target === 'webgpu') adapt(op, webgpuForms);
}
