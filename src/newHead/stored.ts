import { intsAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import type { Tensor } from '../tensor.ts';
import { isQuantised } from '../transform/quantised.ts';
import { elementsOf, type Holder, isShared, type Stored } from './elements.ts';
import { throughRounding } from './rounded.ts';

/** Why a constant cannot be changed: the node that computes it. */
export interface NotStored {
  readonly quantised: boolean;
  readonly node: Node | undefined;
}

/** Follows a constant back through Transpose, Cast, Identity and its rounding to its place in the file. `axis` is the class axis. */
export function storedBehind(
  model: Model,
  graph: Graph,
  given: { readonly value: Value; readonly reader: Node; readonly axis: number },
): Stored | NotStored {
  let { value, reader, axis } = given;
  const passed = new Map<Value, number>();
  for (;;) {
    const tensor = elementsOf(model, graph, value);
    if (tensor) return { value, reader, tensor, axis, passed };
    const node = value.producer;
    const rounded = node && !isShared(graph, value) ? throughRounding(model, graph, node, axis) : undefined;
    if (rounded) return { ...rounded, axis, passed: passed.set(value, axis) };
    const [input] = node?.inputs ?? [];
    const isMoved = node?.domain === '' && ['Transpose', 'Cast', 'Identity'].includes(node.opType);
    if (!node || !input || !isMoved || isShared(graph, value))
      return { quantised: node !== undefined && isQuantised(node), node };
    passed.set(value, axis);
    if (node.opType === 'Transpose') axis = permutationOf(node, value)[axis] ?? axis;
    [value, reader] = [input, node];
  }
}

/** Where each axis of a Transpose's result comes from; `given` is its result or its input. */
export function permutationOf(node: Node, { shape }: Value): readonly number[] {
  const reversed = (shape ?? [0, 0]).map((_, axis, all) => all.length - 1 - axis);
  return intsAttribute(node, 'perm') ?? reversed;
}

/** Replaces a constant's tensor; if other nodes read it too, a copy is made. @returns the name of the new holder. */
export function replaceStored(graph: Graph, { value, reader, also = reader }: Holder, tensor: Tensor): string {
  const readers = new Set([reader, also]);
  if (graph.outputs.includes(value) || [...value.uses].some((node) => !readers.has(node))) {
    const own = graph.define(graph.freshName(value.name), tensor.dtype, tensor.dims);
    graph.initializers.set(own, tensor);
    for (const each of readers) {
      each.inputs = each.inputs.map((input) => (input === value ? own : input));
      value.uses.delete(each);
      own.uses.add(each);
    }
    return own.name;
  }
  setStored(graph, value, tensor);
  return value.name;
}

/** Replaces a constant's tensor for all that read it. */
export function setStored(graph: Graph, value: Value, tensor: Tensor): void {
  value.shape = tensor.dims;
  if (graph.initializers.has(value)) graph.initializers.set(value, tensor);
  else if (value.producer) {
    const attributes = new Map([['value', { type: 'tensor' as const, value: tensor }]]);
    graph.replaceNode(value.producer, { opType: 'Constant', inputs: [], outputs: [value], attributes });
  }
}
