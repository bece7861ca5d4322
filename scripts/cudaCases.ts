import { cudaCoverage } from '../src/runtime/cuda/coverage.ts';
import type { GradientCase } from '../test/support/gradientCases.ts';

/** Operators whose forward pass a training step writes anew, with bodies, which stand in no graph with others. */
export function hasBodies({ op }: GradientCase): boolean {
  return ['LSTM', 'GRU', 'RNN'].includes(op);
}

/** Whether the CUDA provider has no kernel for the operator itself, as it is in this case. */
export function lacks({ op, opset, attributes }: GradientCase): boolean {
  if (op === 'ConvTranspose' && hasUnequalPadding(attributes)) return true;
  const isTraining = op === 'BatchNormalization' && attributes?.training_mode?.value === 1;
  const { status } = cudaCoverage(op, opset, 'float32', isTraining ? 'training_mode=1' : undefined);
  return !['cuda', 'inlined', 'mixed', 'unmeasured'].includes(status);
}

function hasUnequalPadding(attributes: GradientCase['attributes']): boolean {
  const pads = attributes?.pads?.value;
  const half = Array.isArray(pads) ? pads.length / 2 : 0;
  const isUneven = Array.isArray(pads) && pads.slice(0, half).some((pad, i) => pad !== pads[half + i]);
  return isUneven || String(attributes?.auto_pad?.value).startsWith('SAME') || attributes?.output_shape !== undefined;
}
