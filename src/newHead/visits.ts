import type { Node, Value } from '../ir/graph.ts';
import { fromNumbers, toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import { elementsOf, replaceStored } from './stored.ts';
import type { Visit, Walk } from './walk.ts';

/** The scores go on, their classes along another axis or the same. */
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

/** Numbers that a node reads, where they are constant. */
export function constantAt(
  { walk, node }: Visit,
  place: number,
): { readonly value: Value; readonly tensor: Tensor } | undefined {
  const value = node.inputs[place];
  const tensor = value && elementsOf(walk.model, walk.graph, value);
  return value && tensor && { value, tensor };
}

/** A dimension of what a value holds; `undefined` where it is not known. */
export function dimOf({ model, graph }: Walk, value: Value, axis: number): number | undefined {
  const dims = elementsOf(model, graph, value)?.dims ?? value.shape;
  const dim = dims?.[axis];
  return typeof dim === 'number' ? dim : undefined;
}

/** Once the classes are known, the elements of a constant that count them. */
export function countWith(
  walk: Walk,
  reader: Node,
  { value, tensor }: { readonly value: Value; readonly tensor: Tensor },
  places: readonly number[],
): void {
  walk.changes.push(({ outputs }) => {
    const numbers = toNumbers(tensor).map((number, i) => (places.includes(i) ? outputs : number));
    const data = fromNumbers(numbers, tensor.dtype);
    if (data) replaceStored(walk.graph, { value, reader, tensor, axis: 0 }, { ...tensor, data });
  });
}

/** The rank of a value; 2 where it is not known. */
export function rankOf({ model, graph }: Walk, value: Value): number {
  return value.shape?.length ?? elementsOf(model, graph, value)?.dims.length ?? 2;
}

/** An axis counted from the front. */
export function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
