import { LossgraftError } from '../errors.ts';
import { fromNumbers } from '../numbers.ts';
import { elementCount, type Tensor, type TensorData } from '../tensor.ts';

/** The slice of one class along an axis of a tensor: an existing one, by index, or new numbers. */
export type Slice = number | ArrayLike<number>;

/**
 * The tensor with other slices along an axis. Kept slices keep their bits, whatever the element type.
 *
 * @throws LossgraftError `head-dtype` for unsupported element types.
 */
export function withSlices(tensor: Tensor, axis: number, slices: readonly Slice[]): Tensor {
  const { dtype, dims } = tensor;
  const before = elementCount(dims.slice(0, axis));
  const inner = elementCount(dims.slice(axis + 1));
  const old = dims[axis] ?? 1;
  const target = dims.map((dim, i) => (i === axis ? slices.length : dim));
  const data = fromNumbers(Array<number>(elementCount(target)).fill(0), dtype);
  if (data === undefined || !sameStore(data, tensor.data)) throw unwritten(dtype);
  for (const [k, slice] of slices.entries()) {
    const fresh = typeof slice === 'number' ? undefined : fromNumbers(Array.from(slice), dtype);
    const source = fresh ?? tensor.data;
    for (let i = 0; i < before; i++) {
      const from = typeof slice === 'number' ? (i * old + slice) * inner : i * inner;
      copy(source, from, data, (i * slices.length + k) * inner, inner);
    }
  }
  return { dtype, dims: target, data };
}

function sameStore(a: TensorData, b: TensorData): boolean {
  return a.constructor === b.constructor;
}

function copy(source: TensorData, from: number, target: TensorData, to: number, count: number): void {
  for (let i = 0; i < count; i++) Reflect.set(target, to + i, source[from + i]);
}

function unwritten(dtype: string): LossgraftError {
  return new LossgraftError({
    code: 'head-dtype',
    where: 'the last layer',
    expected: 'weights in float32, float64, float16 or bfloat16',
    found: dtype,
    hint: 'Give the model with weights of another type',
  });
}
