import { intsAttribute } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type { Tensor } from '../tensor.ts';
import { isQuantised } from '../transform/quantised.ts';

/** A constant as stored in the file: an initializer, or the tensor of a Constant node. */
export interface Stored {
  readonly value: Value;
  /** The node that reads it. */
  readonly reader: Node;
  readonly tensor: Tensor;
  /** Its class axis. */
  readonly axis: number;
}

/** Why a constant cannot be changed: the node that computes it. */
export interface NotStored {
  readonly quantised: boolean;
  readonly node: Node | undefined;
}

/** The elements of an initializer or of a Constant node, whatever attribute holds them; `undefined` for anything else. */
export function elementsOf(model: Model, graph: Graph, value: Value): Tensor | undefined {
  const source = graph.initializers.get(value);
  if (source) return isView(source) ? readTensor(model.proto.source, source, { modelDir: model.dir }) : source;
  const node = value.producer;
  if (node?.opType !== 'Constant' || node.domain !== '') return undefined;
  const [attribute] = node.attributes.values();
  switch (attribute?.type) {
    case 'tensor': {
      const { value: tensor } = attribute;
      return 'span' in tensor ? readTensor(model.proto.source, tensor, { modelDir: model.dir }) : tensor;
    }
    case 'floats':
      return { dtype: 'float32', dims: [attribute.value.length], data: Float32Array.from(attribute.value) };
    case 'float':
      return { dtype: 'float32', dims: [], data: Float32Array.of(attribute.value) };
    case 'ints':
      return { dtype: 'int64', dims: [attribute.value.length], data: BigInt64Array.from(attribute.value) };
    case 'int':
      return { dtype: 'int64', dims: [], data: BigInt64Array.of(attribute.value) };
    case 'strings':
      return { dtype: 'string', dims: [attribute.value.length], data: [...attribute.value] };
    default:
      return undefined;
  }
}

/** Follows a constant back through Transpose, Cast and Identity to its place in the file. `axis` is the class axis. */
export function storedBehind(
  model: Model,
  graph: Graph,
  given: { readonly value: Value; readonly reader: Node; readonly axis: number },
): Stored | NotStored {
  let { value, reader, axis } = given;
  for (;;) {
    const tensor = elementsOf(model, graph, value);
    if (tensor) return { value, reader, tensor, axis };
    const node = value.producer;
    const [input] = node?.inputs ?? [];
    const isMoved = node?.domain === '' && ['Transpose', 'Cast', 'Identity'].includes(node.opType);
    if (!node || !input || !isMoved || isShared(graph, value))
      return { quantised: node !== undefined && isQuantised(node), node };
    if (node.opType === 'Transpose') axis = permutationOf(node, value)[axis] ?? axis;
    [value, reader] = [input, node];
  }
}

/** Where each axis of a Transpose's result comes from; `given` is its result or its input. */
export function permutationOf(node: Node, { shape }: Value): readonly number[] {
  const reversed = (shape ?? [0, 0]).map((_, axis, all) => all.length - 1 - axis);
  return intsAttribute(node, 'perm') ?? reversed;
}

function isShared(graph: Graph, value: Value): boolean {
  return value.uses.size > 1 || graph.outputs.includes(value);
}

/** Replaces a constant's tensor; if other nodes read it too, a copy is made. @returns the name of the new holder. */
export function replaceStored(graph: Graph, { value, reader }: Stored, tensor: Tensor): string {
  if (isShared(graph, value)) {
    const own = graph.define(graph.freshName(value.name), tensor.dtype, tensor.dims);
    graph.initializers.set(own, tensor);
    reader.inputs = reader.inputs.map((input) => (input === value ? own : input));
    value.uses.delete(reader);
    own.uses.add(reader);
    return own.name;
  }
  value.shape = tensor.dims;
  if (graph.initializers.has(value)) graph.initializers.set(value, tensor);
  else if (value.producer) {
    const attributes = new Map([['value', { type: 'tensor' as const, value: tensor }]]);
    graph.replaceNode(value.producer, { opType: 'Constant', inputs: [], outputs: [value], attributes });
  }
  return value.name;
}
