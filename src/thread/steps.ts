import { isText } from '../data/numpy/npy.ts';
import { elementCount, type Tensor, type TensorData } from '../tensor.ts';
import type { Tensors } from './protocol.ts';

/** How many batches stand one behind the other in the feeds of the loop form: the length of the rate's axis, as of every other. */
export function stepsOf(feeds: Tensors): number {
  return Object.values(feeds)[0]?.dims[0] ?? 1;
}

/** Batches one behind the other get a leading axis of steps: the inputs of the loop form. */
export function stackSteps(feeds: Tensors, steps: number): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, dims, data }]) => {
      const [rows = 0, ...rest] = dims;
      return [name, { dtype, dims: [steps, rows / steps, ...rest], data }];
    }),
  );
}

/** One batch of those that stand one behind the other. Its data are a view. */
export function stepOf(feeds: Tensors, step: number): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, dims, data }]) => {
      const size = elementCount(dims.slice(1));
      const [start, end] = [step * size, (step + 1) * size];
      return [
        name,
        { dtype, dims: dims.slice(1), data: isText(data) ? data.slice(start, end) : data.subarray(start, end) },
      ];
    }),
  );
}

/** Results of batches, one behind the other. */
export function stackBatches(batches: readonly Tensors[]): Record<string, Tensor> {
  const [first = {}] = batches;
  return Object.fromEntries(
    Object.entries(first).map(([name, { dtype, dims, data }]) => {
      const shape = [batches.length, ...dims];
      if (batches.length === 1) return [name, { dtype, dims: shape, data }];
      const parts = batches.flatMap((batch) => (batch[name] ? [batch[name].data] : []));
      return [name, { dtype, dims: shape, data: joined(data, parts) }];
    }),
  );
}

function joined(first: TensorData, parts: readonly TensorData[]): TensorData {
  if (isText(first)) return parts.flatMap((part) => (isText(part) ? part : []));
  const size = first.byteLength;
  const Kind = first.constructor as new (buffer: ArrayBuffer) => typeof first;
  const bytes = new Uint8Array(size * parts.length);
  for (const [i, part] of parts.entries()) {
    if (!isText(part)) bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), i * size);
  }
  return new Kind(bytes.buffer);
}
