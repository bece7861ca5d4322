import type { Graph, Value } from '../ir/graph.ts';
import { editedBytes } from '../onnx/index.ts';
import type { ModelProto, NodeInit, ValueInit } from '../onnx/types.ts';
import { isBfloat16 } from './bfloat16.ts';
import { openSession, type Port } from './session.ts';
import { skeletonEdit } from './skeleton.ts';

/**
 * Asks ONNX Runtime for the element types and shapes of `values` (every tensor of the graph by default) and writes them into
 * the values. The session is made from a skeleton of the model: large initializers are inputs, so no weight is loaded.
 *
 * @throws LossgraftError if ONNX Runtime refuses the model.
 */
export async function inferTypes(model: ModelProto, graph: Graph, values?: readonly Value[]): Promise<void> {
  const asked = (values ?? [...graph.values.values()]).filter((value) => value.producer !== undefined);
  let known: readonly ValueInit[] = [];
  for (;;) {
    await inferOnce(model, graph, asked, known);
    const hints = rankHints(asked, known);
    if (hints.length === 0) return;
    known = [...known, ...hints];
  }
}

/** @throws LossgraftError if ONNX Runtime refuses the graph as it stands. Nothing is learned of types. */
export async function verifyGraph(model: ModelProto, graph: Graph): Promise<void> {
  await probe(model, graph, graph.outputs, tensorOutput, []);
}

async function inferOnce(
  model: ModelProto,
  graph: Graph,
  asked: readonly Value[],
  known: readonly ValueInit[],
): Promise<void> {
  const ports = await probe(model, graph, asked, tensorOutput, known);
  const ambiguous: Value[] = [];
  for (const value of asked) {
    const port = ports.get(value.name);
    if (port?.dtype === undefined) continue;
    if (!isBfloat16(value)) value.dtype = port.dtype;
    if (port.shape !== undefined && port.shape.length > 0) value.shape = port.shape;
    else if (value.shape === undefined || value.shape.length > 0) ambiguous.push(value);
  }
  await settleRanks(model, graph, ambiguous, known);
}

/** ONNX Runtime gives up on a Reshape to a computed shape, though the length of that shape is the rank: tell it so. */
function rankHints(asked: readonly Value[], known: readonly ValueInit[]): ValueInit[] {
  const told = new Set(known.map(({ name }) => name));
  return asked.flatMap(({ name, dtype, shape, producer }) => {
    const rank = producer?.opType === 'Reshape' ? producer.inputs[1]?.shape?.[0] : undefined;
    if (shape !== undefined || dtype === undefined || typeof rank !== 'number' || told.has(name)) return [];
    return [{ name, dtype, shape: new Array<undefined>(rank).fill(undefined) }];
  });
}

/** An unknown rank reads as `[]`, like a scalar's. The Shape operator's own output tells them apart: `[0]` is a scalar. */
async function settleRanks(
  model: ModelProto,
  graph: Graph,
  values: readonly Value[],
  known: readonly ValueInit[],
): Promise<void> {
  if (values.length === 0) return;
  const ports = await probe(model, graph, values, shapeOutput, known);
  for (const value of values) {
    const rank = ports.get(value.name)?.shape?.[0];
    value.shape = rank === 0 ? [] : undefined;
  }
}

interface Probe {
  readonly output: string;
  readonly node?: NodeInit;
}

function tensorOutput(value: Value): Probe {
  return { output: value.name };
}

function shapeOutput(value: Value): Probe {
  const output = `lossgraft/shape_of/${value.name}`;
  return { output, node: { name: output, opType: 'Shape', inputs: [value.name], outputs: [output] } };
}

async function probe(
  model: ModelProto,
  graph: Graph,
  values: readonly Value[],
  probeOf: (value: Value) => Probe,
  known: readonly ValueInit[],
): Promise<Map<string, Port>> {
  const probes = new Map(values.map((value) => [value.name, probeOf(value)]));
  const nodes = [...probes.values()].flatMap(({ node }) => (node ? [node] : []));
  const edit = skeletonEdit(
    model,
    graph,
    [...probes.values()].map((p) => p.output),
    nodes,
    known,
  );
  const session = await openSession(editedBytes(model, edit), { optimization: 'off', name: model.source.name });
  const ports = new Map(session.outputs.map((port) => [port.name, port]));
  await session.close();
  const found = new Map<string, Port>();
  for (const [name, { output }] of probes) {
    const port = ports.get(output);
    if (port) found.set(name, port);
  }
  return found;
}
