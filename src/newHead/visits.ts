import type { Node, Value } from '../ir/graph.ts';
import { fromNumbers, toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import { elementsOf } from './elements.ts';
import { replaceStored } from './stored.ts';
import type { Visit, Walk } from './walk.ts';

/** The scores continue, with their classes along the same or another axis. */
export function keep({ walk, node, input }: Visit, axis: number, isLinear = false): void {
  const [output] = node.outputs;
  if (!output) return;
  walk.axes.set(output, axis);
  if (isLinear && walk.linear.has(input)) walk.linear.add(output);
}

/** The result holds indices of classes. */
export function holdsIndices({ walk, node }: Visit, output = node.outputs[0]): void {
  if (output) walk.indices.add(output);
}

/** The constant numbers that a node reads. */
export function constantAt(
  { walk, node }: Visit,
  place: number,
): { readonly value: Value; readonly tensor: Tensor } | undefined {
  const value = node.inputs[place];
  const tensor = value && elementsOf(walk.model, walk.graph, value);
  return value && tensor && { value, tensor };
}

/** A dimension of a value; `undefined` if unknown. */
export function dimOf({ model, graph }: Walk, value: Value, axis: number): number | undefined {
  const dims = elementsOf(model, graph, value)?.dims ?? value.shape;
  const dim = dims?.[axis];
  return typeof dim === 'number' ? dim : undefined;
}

/** The elements of a constant that depend on the classes, once these are known. */
export function countWith(
  walk: Walk,
  reader: Node,
  { value, tensor }: { readonly value: Value; readonly tensor: Tensor },
  places: readonly number[],
): void {
  walk.changes.push(({ outputs }) => {
    const numbers = toNumbers(tensor).map((number, i) => (places.includes(i) ? outputs : number));
    const data = fromNumbers(numbers, tensor.dtype);
    if (data) replaceStored(walk.graph, { value, reader }, { ...tensor, data });
  });
}

/** The rank of a value; 2 if unknown. */
export function rankOf({ model, graph }: Walk, value: Value): number {
  return value.shape?.length ?? elementsOf(model, graph, value)?.dims.length ?? 2;
}

/** An axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
