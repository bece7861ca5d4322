import { bfloat16ToNumber, float16ToNumber } from './onnx/index.ts';
import type { Tensor } from './tensor.ts';

/** A tensor's elements as numbers: half precisions are decoded, int64 beyond ±2^53 rounds, bool is 0 or 1. */
export function toNumbers(tensor: Tensor): number[] {
  const numbers = Array.from(tensor.data, Number);
  if (tensor.dtype === 'float16') return numbers.map(float16ToNumber);
  return tensor.dtype === 'bfloat16' ? numbers.map(bfloat16ToNumber) : numbers;
}
