import { buildGraph } from '../../ir/build.ts';
import { isView, nodeInit } from '../../ir/edit.ts';
import { Graph, type Node } from '../../ir/graph.ts';
import { encodeNodeFields } from '../../onnx/index.ts';
import type { GraphProto, ModelProto, NodeInit, Replacement } from '../../onnx/types.ts';

/**
 * The body of an If, Loop or Scan. Names must be free in all scopes, but the outer graph does not see a body's names: so new ones carry
 * their opset, and the outer graph counts them.
 */
class NestedGraph extends Graph {
  readonly #outer: Graph;
  readonly #mark: string;

  constructor(outer: Graph, mark: string) {
    super();
    this.#outer = outer;
    this.#mark = mark;
  }

  override freshName(prefix: string): string {
    return this.#outer.freshName(`${prefix}${this.#mark}`);
  }
}

/** The bodies of a node in the user's file, as graphs; values read from `outer` have their types. */
export function nestedGraphs(model: ModelProto, outer: Graph, node: Node, opset: number): Graph[] {
  const bodies = [...node.attributes.values()].flatMap((attribute): GraphProto[] => {
    if (attribute.type === 'graphs') return [...attribute.value];
    return attribute.type === 'graph' && 'span' in attribute.value ? [attribute.value] : [];
  });
  return bodies.map((body) => nestedGraph(model, outer, body, opset));
}

function nestedGraph(model: ModelProto, outer: Graph, body: GraphProto, opset: number): Graph {
  const graph = new NestedGraph(outer, outer instanceof NestedGraph ? '' : `@${opset}`);
  const own = new Set([
    ...[...body.inputs, ...body.initializers].map(({ name }) => name),
    ...body.nodes.flatMap(({ outputs, inputs }) => [...outputs, ...inputs]),
  ]);
  for (const { name } of body.outputs) if (!own.has(name)) graph.define(name);
  buildGraph({ ...model, graph: body }, graph);
  for (const value of graph.values.values()) {
    if (value.producer !== undefined || graph.inputs.includes(value) || graph.initializers.has(value)) continue;
    const captured = outer.values.get(value.name);
    value.dtype ??= captured?.dtype;
    value.shape ??= captured?.shape;
  }
  return graph;
}

/** The body's changed nodes as bytes; new constants stand as Constant nodes before the first of them. */
export function patchNested(graph: Graph, replaced: ReadonlyMap<Node, readonly Node[]>): Replacement[] {
  const constants: NodeInit[] = [];
  for (const [{ name }, source] of graph.initializers) {
    if (isView(source)) continue;
    const attributes = new Map([['value', { type: 'tensor', value: source } as const]]);
    constants.push({ name, opType: 'Constant', inputs: [], outputs: [name], attributes });
  }
  return [...replaced].flatMap(([{ proto }, nodes]) => {
    if (!proto) return [];
    const bytes = encodeNodeFields([...constants.splice(0), ...nodes.map(nodeInit)]);
    return [{ span: proto.span, bytes }];
  });
}
