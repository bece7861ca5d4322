export { losses, optimizers, weightings } from './catalogue.ts';
export { expansions, webgpuExpansions } from './expansions/index.ts';
export { gradients } from './gradients/index.ts';
export { blocked } from './lowered/index.ts';
