import type { ByteSource } from '../files/bytes.ts';
import { readTensor } from '../onnx/index.ts';
import type { Attribute, AttributeInit, GraphProto, NodeProto, ValueInfoProto } from '../onnx/types.ts';
import { Graph, Node, type Value } from './graph.ts';

/** Where a body comes from. */
interface Origin {
  readonly source: ByteSource;
  readonly dir: string;
  /** The outer value of a name that the body does not define. */
  readonly outer: (name: string) => Value | undefined;
}

/**
 * A body of a file as a graph of values and nodes with names of its own.
 *
 * @returns `undefined` if it holds what a new body cannot: sequences as inputs, sparse tensors, attributes of other kinds.
 */
export function bodyOf(proto: GraphProto, within: Graph, origin: Origin): Graph | undefined {
  if (proto.sparseInitializerNames.length > 0) return undefined;
  const body = new Graph(within);
  const known = new Map<string, Value>();
  const define = (name: string): Value => {
    const value = body.define(body.freshName(`lossgraft/body/${name}`));
    known.set(name, value);
    return value;
  };
  for (const tensor of proto.initializers) {
    const value = define(tensor.name);
    const read = readTensor(origin.source, tensor, { modelDir: origin.dir });
    [value.dtype, value.shape] = [read.dtype, read.dims];
    body.initializers.set(value, read);
  }
  for (const info of proto.inputs) {
    if (!isTensor(info)) return undefined;
    const value = define(info.name);
    value.dtype = info.type?.dtype;
    // Declared sizes are claims, which the runtime does not keep.
    value.shape = info.type?.shape?.map(() => undefined);
    body.inputs.push(value);
  }
  const read = (name: string): Value | undefined => known.get(name) ?? origin.outer(name);
  for (const node of proto.nodes) {
    const made = nodeOf(node, body, { ...origin, outer: read });
    const inputs = node.inputs.map((name) => (name === '' ? undefined : read(name)));
    if (!made || node.inputs.some((name, i) => name !== '' && inputs[i] === undefined)) return undefined;
    body.attach(
      made,
      inputs,
      node.outputs.map((name) => (name === '' ? undefined : define(name))),
    );
  }
  const outputs = proto.outputs.map(({ name }) => read(name));
  if (outputs.some((value) => value === undefined)) return undefined;
  body.outputs.push(...outputs.filter((value) => value !== undefined));
  return body;
}

function isTensor({ kind }: ValueInfoProto): boolean {
  return kind === 'tensor' || kind === 'none';
}

/** A node of a body, not yet attached; `undefined` if it has attributes of other kinds. */
export function nodeOf(proto: NodeProto, within: Graph, origin: Origin): Node | undefined {
  const attributes = new Map<string, AttributeInit>();
  const bodies = new Map<string, Graph>();
  for (const [name, attribute] of proto.attributes) {
    if (attribute.type === 'graph') {
      const body = bodyOf(attribute.value, within, origin);
      if (!body) return undefined;
      bodies.set(name, body);
    } else {
      const own = ownAttribute(attribute, origin);
      if (!own) return undefined;
      attributes.set(name, own);
    }
  }
  const { opType, domain } = proto;
  const name = within.freshName(`lossgraft/body/${proto.name || opType}`);
  return new Node({ name, opType, domain, attributes, bodies });
}

function ownAttribute(attribute: Attribute, { source, dir }: Origin): AttributeInit | undefined {
  switch (attribute.type) {
    case 'tensor':
      return { type: 'tensor', value: readTensor(source, attribute.value, { modelDir: dir }) };
    case 'graph':
    case 'tensors':
    case 'graphs':
    case 'reference':
    case 'other':
      return undefined;
    default:
      return attribute;
  }
}

/**
 * Copies the nodes of a body into another graph, with `given` in place of its inputs.
 *
 * @returns a function from a value of the body, or an outer one, to its counterpart there.
 */
export function copyBody(body: Graph, into: Graph, given: ReadonlyMap<Value, Value>): (value: Value) => Value {
  const copies = new Map(given);
  copyNodes(body, into, copies);
  return (value) => copies.get(value) ?? value;
}

function copyNodes(body: Graph, into: Graph, copies: Map<Value, Value>): void {
  const define = (value: Value): Value => {
    const copy = into.define(into.freshName(value.name), value.dtype, value.shape);
    copies.set(value, copy);
    return copy;
  };
  const copyOf = (value: Value | undefined): Value | undefined => value && (copies.get(value) ?? value);
  for (const [value, source] of body.initializers) into.initializers.set(define(value), source);
  for (const node of body.nodes) {
    const bodies = [...node.bodies].map(([name, inner]) => {
      const copy = new Graph(into);
      for (const input of inner.inputs) {
        const port = copy.define(copy.freshName(input.name), input.dtype, input.shape);
        copies.set(input, port);
        copy.inputs.push(port);
      }
      copyNodes(inner, copy, copies);
      copy.outputs.push(...inner.outputs.map((value) => copies.get(value) ?? value));
      return [name, copy] as const;
    });
    into.addNode({
      opType: node.opType,
      domain: node.domain,
      name: into.freshName(node.name),
      attributes: node.attributes,
      bodies: new Map(bodies),
      inputs: node.inputs.map(copyOf),
      outputs: node.outputs.map((output) => output && define(output)),
    });
  }
}
