import type { GraphProto, ModelProto, NodeProto } from '../onnx/types.ts';
import { Graph, Node, type Value } from './graph.ts';

/**
 * The linked graph of a scanned model. Initializers and inputs have their types. For node outputs, value infos and declared outputs give
 * only the element type and rank, since the runtime need not keep their sizes. The shape oracle fills in the rest.
 *
 * @param graph is filled.
 */
export function buildGraph(model: ModelProto, graph: Graph = new Graph()): Graph {
  const proto = model.graph;
  const initialized = new Set(proto.initializers.map((tensor) => tensor.name));
  for (const tensor of proto.initializers) {
    graph.initializers.set(graph.define(tensor.name, tensor.dtype, tensor.dims), tensor);
  }
  for (const info of proto.inputs) {
    // Exporters before IR 4 list every initializer among the inputs: those stay constants.
    const value = valueNamed(graph, info.name);
    graph.infos.set(value, info);
    if (initialized.has(info.name)) continue;
    value.dtype = info.type?.dtype;
    value.shape = info.type?.shape;
    graph.inputs.push(value);
  }
  for (const name of proto.sparseInitializerNames) valueNamed(graph, name);
  for (const node of proto.nodes) addProtoNode(graph, node);
  for (const info of [...proto.valueInfos, ...proto.outputs]) {
    const value = graph.values.get(info.name);
    if (value && info.metadata.size > 0) graph.metadata.set(value, info.metadata);
    if (!value || value.dtype !== undefined) continue;
    value.dtype = info.type?.dtype;
    value.shape = info.type?.shape?.map(() => undefined);
  }
  for (const info of proto.outputs) {
    const value = graph.value(info.name, 'graph outputs');
    graph.infos.set(value, info);
    graph.outputs.push(value);
  }
  return graph;
}

function valueNamed(graph: Graph, name: string): Value {
  return graph.values.get(name) ?? graph.define(name);
}

function addProtoNode(graph: Graph, proto: NodeProto): void {
  const { name, opType, domain, attributes } = proto;
  const node = new Node({ name, opType, domain, attributes, proto });
  const read = (input: string) => (input === '' ? undefined : valueNamed(graph, input));
  node.captures = [...capturedNames(proto)].map((captured) => valueNamed(graph, captured));
  graph.attach(node, proto.inputs.map(read), proto.outputs.map(read));
}

/** Names that a node's subgraphs read and do not define themselves. */
function capturedNames(node: NodeProto): Set<string> {
  const free = new Set<string>();
  for (const attribute of node.attributes.values()) {
    if (attribute.type === 'graph') addFreeNames(attribute.value, free);
    if (attribute.type === 'graphs') for (const graph of attribute.value) addFreeNames(graph, free);
  }
  return free;
}

function addFreeNames(graph: GraphProto, free: Set<string>): void {
  const bound = new Set<string>([
    ...graph.inputs.map((info) => info.name),
    ...graph.initializers.map((tensor) => tensor.name),
    ...graph.sparseInitializerNames,
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const reads = graph.nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)]);
  for (const name of [...reads, ...graph.outputs.map((info) => info.name)]) {
    if (name !== '' && !bound.has(name)) free.add(name);
  }
}
