import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from './onnx/half.ts';
import { integersOf } from './quantisation.ts';
import type { DataType, Tensor, TensorData } from './tensor.ts';

/** A tensor's elements as numbers: half precisions are decoded, integers of 4 bits unpacked, int64 beyond ±2^53 rounds, bool is 0 or 1. */
export function toNumbers(tensor: Tensor): number[] {
  const numbers = Array.from(integersOf(tensor), Number);
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
  int16: (numbers) => Int16Array.from(numbers),
  int8: (numbers) => Int8Array.from(numbers),
  uint64: (numbers) => BigUint64Array.from(numbers, BigInt),
  uint32: (numbers) => Uint32Array.from(numbers),
  uint16: (numbers) => Uint16Array.from(numbers),
  uint8: (numbers) => Uint8Array.from(numbers),
  bool: (numbers) => Uint8Array.from(numbers),
};

/** Numbers as elements of that type; `undefined` for unsupported types. */
export function fromNumbers(numbers: readonly number[], dtype: DataType): TensorData | undefined {
  return STORES[dtype]?.(numbers);
}

/** The same numbers in float32: exact for half precision, rounded from float64. */
export function inFloat32(tensor: Tensor): Tensor {
  if (tensor.dtype === 'float32') return tensor;
  return { dtype: 'float32', dims: tensor.dims, data: Float32Array.from(toNumbers(tensor)) };
}

/** A tensor rounded to a type; `undefined` if a number is too large for it. */
export function narrowed({ dims, data }: Tensor, dtype: DataType): Tensor | undefined {
  const rounded = fromNumbers(Array.from(data, Number), dtype);
  if (rounded === undefined) return undefined;
  const tensor = { dtype, dims, data: rounded };
  const isLost = toNumbers(tensor).some((value, i) => !Number.isFinite(value) && Number.isFinite(Number(data[i])));
  return isLost ? undefined : tensor;
}

/** A number agrees where |found − expected| ≤ atol + rtol·|expected|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** NaN matches only NaN, and an infinity only itself. */
export function isClose(found: number, expected: number, { rtol, atol }: Tolerance): boolean {
  if (!Number.isFinite(expected) || !Number.isFinite(found)) return Object.is(found, expected);
  return Math.abs(found - expected) <= atol + rtol * Math.abs(expected);
}

/**
 * The largest difference of two tensors, relative to the largest expected magnitude. NaN agrees with NaN; it is infinite for any other
 * non-finite numbers, or if the counts differ.
 */
export function worstDifference(expected: Tensor, found: Tensor): number {
  const [wanted, got] = [toNumbers(expected), toNumbers(found)];
  if (wanted.length !== got.length) return Number.POSITIVE_INFINITY;
  let scale = 1e-6;
  let worst = 0;
  for (const [i, value] of wanted.entries()) {
    const other = got[i] ?? Number.NaN;
    if (Number.isNaN(value) && Number.isNaN(other)) continue;
    const difference = Math.abs(value - other);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(value));
    worst = Math.max(worst, difference);
  }
  return worst / scale;
}
