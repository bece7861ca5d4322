import type { Tensor } from '../tensor.ts';
import { joinData, mapTensors, viewRows } from '../tensorRows.ts';
import type { Tensors } from './protocol.ts';

/** How many batches the feeds of the loop form hold: the length of the rate's axis, and of every other. */
export function stepsOf(feeds: Tensors): number {
  return Object.values(feeds)[0]?.dims[0] ?? 1;
}

/** Stacks batches along a leading axis of steps: the inputs of the loop form. */
export function stackSteps(feeds: Tensors, steps: number): Record<string, Tensor> {
  return mapTensors(feeds, ({ dtype, dims: [rows = 0, ...rest], data }) => ({
    dtype,
    dims: [steps, rows / steps, ...rest],
    data,
  }));
}

/** One batch of stacked ones. Its data are a view. */
export function stepOf(feeds: Tensors, step: number): Record<string, Tensor> {
  return mapTensors(feeds, (tensor) => ({ ...viewRows(tensor, step, 1), dims: tensor.dims.slice(1) }));
}

/** Concatenated results of batches. */
export function stackBatches(batches: readonly Tensors[]): Record<string, Tensor> {
  const [first = {}] = batches;
  return Object.fromEntries(
    Object.entries(first).map(([name, { dtype, dims, data }]) => {
      const shape = [batches.length, ...dims];
      if (batches.length === 1) return [name, { dtype, dims: shape, data }];
      const parts = batches.flatMap((batch) => (batch[name] ? [batch[name].data] : []));
      return [name, { dtype, dims: shape, data: joinData(parts) }];
    }),
  );
}
