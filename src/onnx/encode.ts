import { DATA_TYPES, type Tensor } from '../tensor.ts';
import { type Encodable, encodeMessage, int64 } from './codec.ts';
import { bytesOf, checkTensor } from './storage.ts';
import type {
  AttributeInit,
  GraphInit,
  InitializerInit,
  NodeInit,
  RawInitializer,
  RawNode,
  UntypedInit,
  ValueInit,
} from './types.ts';
import { type ByteParts, concat, lenField, stringField } from './wire.ts';

const utf8 = new TextEncoder();

/**
 * A TensorProto's bytes in ascending fields, as Python's numpy_helper writes them. The elements are a view of the tensor's own
 * memory: nothing big is copied, and nothing big goes through protobufjs (quadratic above 1 GiB).
 */
export function encodeTensorParts(name: string, tensor: Tensor): ByteParts {
  checkTensor(tensor, `tensor "${name}"`);
  const { dtype, data } = tensor;
  const head = encodeMessage('TensorProto', {
    dims: tensor.dims.map((d) => int64(BigInt(d))),
    dataType: DATA_TYPES[dtype],
  });
  const nameField = name === '' ? [] : [stringField(8, name)];
  if (!ArrayBuffer.isView(data)) return [head, ...data.map((text) => stringField(6, text)), ...nameField];
  return [head, ...nameField, ...lenField(9, [bytesOf(data)])];
}

/** A TensorProto file (.pb) as in ONNX's backend tests. Errors: `tensor-storage`, `tensor-size`. */
export function encodeTensor(name: string, tensor: Tensor): Uint8Array {
  return concat(encodeTensorParts(name, tensor));
}

/** A NodeProto's bytes. */
export function encodeNodeParts(node: NodeInit): ByteParts {
  const head = encodeMessage('NodeProto', {
    input: node.inputs,
    output: node.outputs,
    name: node.name === '' ? undefined : node.name,
    opType: node.opType,
  });
  const parts: Uint8Array[] = [head];
  for (const [name, attribute] of node.attributes ?? []) parts.push(...lenField(5, encodeAttribute(name, attribute)));
  if (node.domain !== undefined && node.domain !== '') parts.push(stringField(7, node.domain));
  return parts;
}

const ATTRIBUTE_TYPES: Readonly<Record<AttributeInit['type'], number>> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
};

function encodeAttribute(name: string, attribute: AttributeInit): ByteParts {
  const type = encodeMessage('AttributeProto', { type: ATTRIBUTE_TYPES[attribute.type] });
  const head = encodeMessage('AttributeProto', { name });
  if (attribute.type === 'tensor') return [head, ...lenField(5, encodeTensorParts('', attribute.value)), type];
  if (attribute.type === 'graph') return [head, ...lenField(6, encodeGraphParts(attribute.value)), type];
  return [head, encodeMessage('AttributeProto', plainAttribute(attribute)), type];
}

function plainAttribute(attribute: Exclude<AttributeInit, { type: 'tensor' | 'graph' }>): Record<string, Encodable> {
  switch (attribute.type) {
    case 'float':
      return { f: attribute.value };
    case 'int':
      return { i: int64(attribute.value) };
    case 'string':
      return { s: utf8.encode(attribute.value) };
    case 'floats':
      return { floats: attribute.value };
    case 'ints':
      return { ints: attribute.value.map(int64) };
    case 'strings':
      return { strings: attribute.value.map((text) => utf8.encode(text)) };
  }
}

/** A ValueInfoProto's bytes: a dense tensor type with its shape. */
export function encodeValueInfo(value: ValueInit): Uint8Array {
  const dim = value.shape.map((d) => {
    if (d === undefined) return {};
    return typeof d === 'string' ? { dimParam: d } : { dimValue: int64(BigInt(d)) };
  });
  const tensorType = { elemType: DATA_TYPES[value.dtype], shape: { dim } };
  return encodeMessage('ValueInfoProto', { name: value.name, type: { tensorType } });
}

/** A GraphProto's bytes. */
export function encodeGraphParts(graph: GraphInit): ByteParts {
  return [
    ...nodeFields(graph.nodes),
    stringField(2, graph.name),
    ...initializerFields(graph.initializers),
    ...valueFields(11, graph.inputs),
    ...valueFields(12, graph.outputs),
  ];
}

/** Fields GraphProto.node, one per node. */
export function nodeFields(nodes: readonly (NodeInit | RawNode)[]): ByteParts {
  return nodes.flatMap((node) => ('raw' in node ? [node.raw] : lenField(1, encodeNodeParts(node))));
}

/** The same in one piece: replaces one node's field by several. */
export function encodeNodeFields(nodes: readonly NodeInit[]): Uint8Array {
  return concat(nodeFields(nodes));
}

/** Fields GraphProto.initializer. */
export function initializerFields(initializers: readonly (InitializerInit | RawInitializer)[]): ByteParts {
  return initializers.flatMap((init) =>
    'raw' in init ? [init.raw] : lenField(5, encodeTensorParts(init.name, init.tensor)),
  );
}

/** Fields GraphProto.input (11), output (12) or value_info (13). */
export function valueFields(number: number, values: readonly (ValueInit | UntypedInit)[]): ByteParts {
  return values.flatMap((value) =>
    lenField(number, ['dtype' in value ? encodeValueInfo(value) : stringField(1, value.name)]),
  );
}
