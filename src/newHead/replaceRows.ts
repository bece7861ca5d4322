import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';
import type { Stored, StoredRounding } from './elements.ts';
import { type RoundedSlices, roundedSlices } from './rounded.ts';
import { type Slice, withSlices } from './rows.ts';
import { replaceStored } from './stored.ts';

/** The rows of other classes, and their biases. */
export interface NextRows {
  readonly weight: Stored;
  readonly rows: readonly Slice[];
  readonly bias: Stored | undefined;
  readonly biases: readonly Slice[];
}

/**
 * Puts rows in the place of a layer's own: floats in the type of the file, or integers with their scales.
 *
 * @returns notes for the user.
 */
export function replaceRows(graph: Graph, { weight, rows, bias, biases }: NextRows): string[] {
  const next = replaceTensor(graph, weight, rows);
  if (bias) replaceTensor(graph, bias, biases, biasSteps(weight, bias, next?.scale));
  if (!next?.isRescaled) return [];
  return [
    'One scale stands for all weights of the last layer: it grows with the new rows, and the rows that stay are rounded anew',
  ];
}

function replaceTensor(
  graph: Graph,
  stored: Stored,
  slices: readonly Slice[],
  steps?: Tensor,
): RoundedSlices | undefined {
  const { rounding } = stored;
  if (rounding === undefined) {
    replaceStored(graph, stored, withSlices(stored.tensor, stored.axis, slices));
    return undefined;
  }
  const next = roundedSlices({ ...stored, rounding }, slices, steps);
  replaceStored(graph, stored, rounding.isFloat ? withSlices(stored.tensor, stored.axis, slices) : next.integers);
  if (rounding.scale) replaceUnlessSame(graph, rounding.scale, rounding.how.scale, next.scale);
  if (rounding.zero) replaceUnlessSame(graph, rounding.zero, rounding.how.zeroPoint, next.zeroPoint);
  return next;
}

function replaceUnlessSame(
  graph: Graph,
  holder: NonNullable<StoredRounding['scale']>,
  old: Tensor | undefined,
  next: Tensor | undefined,
): void {
  const isSame =
    old && next && old.dims.join() === next.dims.join() && old.data.every((value, i) => value === next.data[i]);
  if (next && !isSame) replaceStored(graph, holder, next);
}

/** An int32 bias has the steps of its layer's input times those of the weights, as these are now. */
function biasSteps(
  { rounding: weight }: Stored,
  { rounding: bias }: Stored,
  scale: Tensor | undefined,
): Tensor | undefined {
  if (!weight || !bias || !scale || bias.integers.dtype !== 'int32') return undefined;
  const factor = Number(bias.how.scale.data[0]) / Number(weight.how.scale.data[0]);
  return {
    ...bias.how.scale,
    dims: scale.dims,
    data: Float32Array.from(Array.from(scale.data, Number), (step) => factor * step),
  };
}
