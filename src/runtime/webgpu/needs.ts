import { WEBGPU_KERNELS } from './kernels.ts';

/**
 * What lossgraft's own form of an operator asks for, by operator: where a model does not give it, the operator stays as it is, which WebGPU
 * has no kernel for.
 */
export const FORM_NEEDS: Readonly<Record<string, string>> = {
  BatchNormalization: 'vectors in inference mode',
  Conv: 'a known size of the filters',
  ConvTranspose: 'three dimensions, known sizes of the filters, and pads that are stated',
  Dropout: 'a mask that nothing reads, and no training mode',
  GlobalLpPool: 'a known number of dimensions',
  InstanceNormalization: 'a known number of dimensions, three or more',
  LogSoftmax: 'a known number of dimensions, below opset 13',
  LRN: 'a known number of channels',
  Pow: 'float32 as the type of the base',
  ReduceLogSumExp: 'axes that are constants',
  RNN: 'sequences of one known length up to 1000, no clip, and tanh, relu or sigmoid',
  Scan: 'a loop of lossgraft over a known number of steps, not too many',
  Sign: 'floating-point numbers',
  SpaceToDepth: 'known channels, height and width',
};

/** Of kernels that ONNX Runtime has not registered for newer opsets. */
const OLD = /webgpu [\d-]+-21; cpu 22/;

/** Why operators have no kernel, and what to do, for the operators that a message names. */
export function whyNoKernel(ops: readonly string[]): string {
  const tried = [...new Set(ops)].filter((op) => op in FORM_NEEDS);
  const forms = tried.map((op) => `lossgraft's form of ${op} needs ${FORM_NEEDS[op]}`);
  const isOlder = (op: string): boolean => WEBGPU_KERNELS.some(([name, cell]) => name === op && OLD.test(cell));
  const older = [...new Set(ops)].filter(isOlder);
  const others = [...new Set(ops)].filter((op) => !(op in FORM_NEEDS) && !isOlder(op));
  const rest = others.length > 0 ? [`WebGPU has no kernel for ${others.join(', ')}, and lossgraft no other form`] : [];
  const up =
    older.length > 0 ? [`WebGPU has kernels for ${older.join(', ')} up to opset 21: export at that opset`] : [];
  return [...forms, ...rest, ...up].join('; ');
}
