import { newInitializer, nodeInit } from '../../ir/edit.ts';
import type { Graph, Node, Value } from '../../ir/graph.ts';
import { editedBytes } from '../../onnx/index.ts';
import type { ModelEdit, ModelProto, Span } from '../../onnx/types.ts';
import type { Tensor } from '../../tensor.ts';
import { openSession } from '../session.ts';

/**
 * The elements of values that do not depend on the inputs. ONNX Runtime computes them from a minimal model.
 *
 * @param given replaces the nodes that would compute these values.
 */
export async function evaluate(
  model: { readonly proto: ModelProto; readonly dir: string },
  graph: Graph,
  values: readonly Value[],
  given: ReadonlyMap<Value, Tensor>,
): Promise<ReadonlyMap<Value, Tensor>> {
  if (values.length === 0) return new Map();
  const { proto } = model;
  const edit = onlyWhatMakes(proto, graph, values, given);
  const options = { optimization: 'off', name: proto.source.name, externalDataFolder: model.dir } as const;
  const session = await openSession(editedBytes(proto, edit), options);
  try {
    const found = await session.run({});
    const tensors = new Map<Value, Tensor>();
    for (const value of values) {
      const tensor = found[value.name];
      if (tensor) tensors.set(value, tensor);
    }
    return tensors;
  } finally {
    await session.close();
  }
}

function onlyWhatMakes(
  proto: ModelProto,
  graph: Graph,
  values: readonly Value[],
  given: ReadonlyMap<Value, Tensor>,
): ModelEdit {
  const nodes = new Set<Node>();
  const read = new Set<Value>(values);
  for (const value of read) {
    const node = given.has(value) ? undefined : value.producer;
    if (!node || nodes.has(node)) continue;
    nodes.add(node);
    for (const input of node.inputs) if (input) read.add(input);
  }
  const names = new Set([...read].map(({ name }) => name));
  const kept = new Set<Span>([...nodes].flatMap(({ proto: view }) => (view ? [view.span] : [])));
  const { graph: view } = proto;
  const removals = [
    ...view.nodes.filter(({ span }) => !kept.has(span)),
    ...view.initializers.filter(({ name }) => !names.has(name)),
    ...view.inputs,
    ...view.outputs,
    ...view.valueInfos,
  ].map(({ span }) => span);
  const own = [...read].flatMap((value) => {
    const tensor = given.get(value) ?? graph.initializers.get(value);
    return (tensor && newInitializer(proto, value, tensor)) ?? [];
  });
  const added = graph.nodes.filter((node) => !node.proto && nodes.has(node)).map(nodeInit);
  const { opsetImports } = graph;
  return { removals, nodes: added, initializers: own, opsetImports, untypedOutputs: values.map(({ name }) => name) };
}
