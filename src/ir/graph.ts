import type { Attribute, AttributeInit, NodeProto, Replacement, TensorProto, ValueInfoProto } from '../onnx/types.ts';
import type { DataType, Shape, Tensor } from '../tensor.ts';
import { nameTaken, unknownTensor } from './names.ts';
import { OrderedList } from './orderedList.ts';

/** A tensor of the graph: produced by a node, or a graph input, or an initializer. */
export class Value {
  readonly name: string;
  dtype: DataType | undefined;
  shape: Shape;
  producer: Node | undefined;
  /** The nodes that read it, including subgraphs; a node that reads it twice occurs once. */
  readonly uses: Set<Node> = new Set();

  constructor(name: string, dtype?: DataType, shape?: Shape) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
  }
}

export type NodeAttributes = ReadonlyMap<string, Attribute | AttributeInit>;

/** The gradient that flows to `source` from a node's own gradient, and to a setting of the node if that is trained too. */
export interface OwnGradient {
  readonly source: Value;
  readonly gradient: (dy: Value) => Value;
  readonly setting?: { readonly source: Value; readonly gradient: (dy: Value) => Value };
}

/** What lossgraft knows about its own nodes beside the operator. Files do not contain it. */
export interface NodeMeta {
  /** No gradient flows through it. */
  readonly stopsGradient?: boolean;
  /** Its hand-written gradient. */
  readonly ownGradient?: OwnGradient;
}

interface NodeParts {
  readonly name: string;
  readonly opType: string;
  readonly domain?: string;
  readonly attributes?: NodeAttributes;
  readonly proto?: NodeProto | undefined;
  readonly bodies?: ReadonlyMap<string, Graph>;
}

/** One operator call. `proto` is its view in the user's file; a node that lossgraft made has none. */
export class Node {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly attributes: NodeAttributes;
  readonly proto: NodeProto | undefined;
  /** `undefined` is an omitted optional input. */
  inputs: readonly (Value | undefined)[] = [];
  /** `undefined` is an omitted optional output. */
  outputs: readonly (Value | undefined)[] = [];
  /** Outer values that this node's subgraphs read. */
  captures: readonly Value[] = [];
  meta: NodeMeta = {};
  /** Bodies of a node that lossgraft made, by attribute; their nodes read outer values as they are. */
  readonly bodies: ReadonlyMap<string, Graph>;

  constructor({ name, opType, domain = '', attributes = new Map(), proto, bodies = new Map() }: NodeParts) {
    this.name = name;
    this.bodies = bodies;
    this.opType = opType;
    this.domain = domain;
    this.attributes = attributes;
    this.proto = proto;
  }
}

/** A constant's elements: a view in the user's file, or a new tensor. */
export type InitializerSource = TensorProto | Tensor;

/** May spread a node of the file; the node made of it does not keep that encoding. */
export interface NodeSpec extends Omit<NodeParts, 'name' | 'proto'> {
  readonly name?: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
}

/** The domain of composites: internal nodes that stand for a subgraph until they are expanded. No file ever holds one. */
export const COMPOSITE_DOMAIN = 'lossgraft';

/** A mutable graph of values and nodes that know each other. Nodes are in topological order. */
export class Graph {
  readonly values: Map<string, Value> = new Map();
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly initializers: Map<Value, InitializerSource> = new Map();
  /** Views of the inputs and outputs that come from the file. */
  readonly infos: Map<Value, ValueInfoProto> = new Map();
  /** The metadata_props of the file's value infos. */
  readonly metadata: Map<Value, ReadonlyMap<string, string>> = new Map();
  /** Opset imports that differ from the file's, by domain ('' is ai.onnx). */
  readonly opsetImports: Map<string, number> = new Map();
  /** The IR version, if it must be newer than the file's. */
  irVersion: number | undefined;
  /** Fields of the file that are replaced as bytes, such as a relabelled dimension. */
  readonly patches: Replacement[] = [];
  readonly #nodes = new OrderedList<Node>();
  readonly #nodeNames = new Set<string>();
  readonly #outer: Graph | undefined;
  #counter = 0;

  /** @param outer the graph whose node has this one as a body: names are free in both. */
  constructor(outer?: Graph) {
    this.#outer = outer;
  }

  /** A snapshot of the nodes in order: the graph may change during iteration. */
  get nodes(): readonly Node[] {
    return this.#nodes.all;
  }

  /** The value with that name. @throws LossgraftError `unknown-tensor`, with the nearest names. */
  value(name: string, where = 'model'): Value {
    const value = this.values.get(name);
    if (value) return value;
    throw unknownTensor(name, where, this.values.keys());
  }

  /** A new value; its name must be free. `hint` is the error's hint for names that the option rename does not know. */
  define(name: string, dtype?: DataType, shape?: Shape, hint?: string): Value {
    if (this.values.has(name)) throw nameTaken(name, hint);
    const value = new Value(name, dtype, shape);
    this.values.set(name, value);
    return value;
  }

  /** A free name under `prefix`. */
  freshName(prefix: string): string {
    if (this.#outer) return this.#outer.freshName(prefix);
    for (;;) {
      this.#counter += 1;
      const name = `${prefix}_${this.#counter}`;
      if (!this.values.has(name) && !this.#nodeNames.has(name)) return name;
    }
  }

  addNode(spec: NodeSpec): Node {
    const name = spec.name ?? this.freshName(`lossgraft/${spec.opType}`);
    const node = new Node({ ...spec, proto: undefined, name });
    this.attach(node, spec.inputs, spec.outputs);
    return node;
  }

  /** Puts a node at the end, or before the node that {@link before} names, and links it with its values. */
  attach(node: Node, inputs: readonly (Value | undefined)[], outputs: readonly (Value | undefined)[]): void {
    this.#link(node, inputs, outputs);
    this.#nodes.insert(node);
  }

  /** Nodes that `write` adds come before this one. */
  before<T>(node: Node, write: () => T): T {
    return this.#nodes.at(node, write);
  }

  /** Nodes that `write` adds come right after this one, or before all. */
  after<T>(node: Node | undefined, write: () => T): T {
    return this.#nodes.at(this.#nodes.next(node), write);
  }

  /** The node that stands before this one. */
  previous(node: Node): Node | undefined {
    return this.#nodes.previous(node);
  }

  /** Removes a node and its outputs, unless another node produces them by now. */
  remove(node: Node): void {
    this.#unlink(node);
    this.#nodes.remove(node);
  }

  /**
   * Replaces a node by a call. Shared outputs stay the same values, so that their readers need not change; the node's other outputs are
   * removed.
   */
  replaceNode(node: Node, spec: NodeSpec): Node {
    const { inputs, outputs } = spec;
    for (const output of node.outputs) {
      if (!output) continue;
      output.producer = undefined;
      if (!outputs.includes(output)) this.values.delete(output.name);
    }
    this.#unlink(node);
    const made = new Node({ ...spec, proto: undefined, name: node.name });
    this.#link(made, inputs, outputs);
    this.#nodes.insert(made, node);
    this.#nodes.remove(node);
    return made;
  }

  /** Removes all nodes, for a body that continues with them: their values stay. */
  takeNodes(): readonly Node[] {
    const all = this.#nodes.all;
    for (const node of all) this.#nodes.remove(node);
    return all;
  }

  /** A copy with its own values and nodes. Tensors and views of the file are shared: nobody changes them. */
  clone(): { readonly graph: Graph; readonly copies: ReadonlyMap<Value, Value> } {
    const graph = new Graph();
    const copies = new Map<Value, Value>();
    const nodes = new Map<Node, Node>();
    this.#copyInto(graph, copies, nodes);
    for (const [value, copy] of copies) {
      copy.producer = value.producer && nodes.get(value.producer);
      for (const use of value.uses) copy.uses.add(nodes.get(use) ?? use);
    }
    return { graph, copies };
  }

  #copyInto(graph: Graph, copies: Map<Value, Value>, nodes: Map<Node, Node>): void {
    const copyOf = (value: Value): Value => {
      const known = copies.get(value);
      if (known) return known;
      const copy = new Value(value.name, value.dtype, value.shape);
      copies.set(value, copy);
      return copy;
    };
    for (const [name, value] of this.values) graph.values.set(name, copyOf(value));
    for (const node of this.nodes) {
      const bodies = [...node.bodies].map(([name, body]) => {
        const copy = new Graph(graph);
        body.#copyInto(copy, copies, nodes);
        return [name, copy] as const;
      });
      nodes.set(node, copyNode(node, copyOf, new Map(bodies)));
    }
    for (const node of this.nodes) graph.#nodes.insert(nodes.get(node) ?? node);
    for (const value of this.inputs) graph.inputs.push(copyOf(value));
    for (const value of this.outputs) graph.outputs.push(copyOf(value));
    for (const [value, source] of this.initializers) graph.initializers.set(copyOf(value), source);
    for (const [value, info] of this.infos) graph.infos.set(copyOf(value), info);
    for (const [value, found] of this.metadata) graph.metadata.set(copyOf(value), found);
    for (const [domain, version] of this.opsetImports) graph.opsetImports.set(domain, version);
    graph.irVersion = this.irVersion;
    graph.patches.push(...this.patches);
    for (const name of this.#nodeNames) graph.#nodeNames.add(name);
    graph.#counter = this.#counter;
  }

  /** Whether a node, a body or the user reads a value. */
  isRead(value: Value | undefined): boolean {
    return value !== undefined && (value.uses.size > 0 || this.outputs.includes(value));
  }

  #link(node: Node, inputs: readonly (Value | undefined)[], outputs: readonly (Value | undefined)[]): void {
    node.inputs = inputs;
    node.outputs = outputs;
    if (node.bodies.size > 0) node.captures = [...new Set([...node.bodies.values()].flatMap(outerReads))];
    for (const input of inputs) input?.uses.add(node);
    for (const captured of node.captures) captured.uses.add(node);
    for (const output of outputs) if (output) output.producer = node;
    this.#nodeNames.add(node.name);
  }

  #unlink(node: Node): void {
    for (const value of [...node.inputs, ...node.captures]) value?.uses.delete(node);
    for (const body of node.bodies.values()) for (const inner of body.nodes) body.#unlink(inner);
    for (const output of node.outputs) if (output?.producer === node) this.values.delete(output.name);
    this.#nodeNames.delete(node.name);
  }

  /** Makes every node that reads `from` read `to`. Graph outputs keep their names and are left alone. */
  replaceUses(from: Value, to: Value, except?: Node): void {
    for (const node of [...from.uses]) {
      const isCaptured = node.captures.includes(from);
      if (node === except || (isCaptured && node.bodies.size === 0)) continue;
      if (isCaptured) node.captures = node.captures.map((value) => (value === from ? to : value));
      node.inputs = node.inputs.map((input) => (input === from ? to : input));
      from.uses.delete(node);
      to.uses.add(node);
    }
  }

  isInput(value: Value): boolean {
    return this.inputs.includes(value);
  }
}

function copyNode(node: Node, copyOf: (value: Value) => Value, bodies: ReadonlyMap<string, Graph>): Node {
  if (node.meta.ownGradient) throw new Error('a gradient written by hand belongs to one graph');
  const copy = new Node({ ...node, bodies });
  copy.inputs = node.inputs.map((input) => input && copyOf(input));
  copy.outputs = node.outputs.map((output) => output && copyOf(output));
  copy.captures = node.captures.map(copyOf);
  copy.meta = node.meta;
  return copy;
}

/** The values that a body reads but does not define. */
function outerReads(body: Graph): Value[] {
  const reads = body.nodes.flatMap((node) => [...node.inputs, ...node.captures]).filter((value) => value !== undefined);
  return reads.filter((value) => body.values.get(value.name) !== value);
}
