import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from './onnx/half.ts';
import type { DataType, Tensor, TensorData } from './tensor.ts';

/** A tensor's elements as numbers: half precisions are decoded, int64 beyond ±2^53 rounds, bool is 0 or 1. */
export function toNumbers(tensor: Tensor): number[] {
  const numbers = Array.from(tensor.data, Number);
  if (tensor.dtype === 'float16') return numbers.map(float16ToNumber);
  return tensor.dtype === 'bfloat16' ? numbers.map(bfloat16ToNumber) : numbers;
}

const STORES: Partial<Record<DataType, (numbers: readonly number[]) => TensorData>> = {
  float32: (numbers) => Float32Array.from(numbers),
  float64: (numbers) => Float64Array.from(numbers),
  float16: (numbers) => Uint16Array.from(numbers, numberToFloat16),
  bfloat16: (numbers) => Uint16Array.from(numbers, numberToBfloat16),
  int64: (numbers) => BigInt64Array.from(numbers, BigInt),
  int32: (numbers) => Int32Array.from(numbers),
  int8: (numbers) => Int8Array.from(numbers),
  uint8: (numbers) => Uint8Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers),
};

/** Numbers as elements of that type; `undefined` for types that are not written. */
export function fromNumbers(numbers: readonly number[], dtype: DataType): TensorData | undefined {
  return STORES[dtype]?.(numbers);
}
