import { COMPOSITE_DOMAIN, type Graph, type Node, type Value } from '../../ir/graph.ts';
import { editedBytes } from '../../onnx/index.ts';
import type { ModelProto, NodeInit, ValueInit } from '../../onnx/types.ts';
import type { Dim, Shape, Tensor } from '../../tensor.ts';
import { openSession, type Port } from '../session.ts';
import { isBfloat16 } from './bfloat16.ts';
import { derivable, derive } from './derived.ts';
import { type SkeletonRequest, skeletonEdit } from './skeleton.ts';

/**
 * Asks ONNX Runtime for the element types and shapes of `values` (every tensor of the graph by default) and writes them into
 * the values. The session is made from a skeleton of the model: large initializers are inputs, so no weight is loaded.
 *
 * @throws LossgraftError if ONNX Runtime refuses the model.
 */
export async function inferTypes(
  model: ModelProto,
  graph: Graph,
  values?: readonly Value[],
  given: ReadonlyMap<Value, Tensor> = new Map(),
): Promise<void> {
  await infer(model, graph, values, { known: [], given });
}

/**
 * The same for all tensors, for callers that run the model anyway: values that may be scalars or of unknown rank, which would take
 * another session to tell, get no shape.
 */
export async function inferClaims(model: ModelProto, graph: Graph): Promise<void> {
  await infer(model, graph, undefined, { known: [], given: new Map(), skipsScalars: true });
}

async function infer(
  model: ModelProto,
  graph: Graph,
  values: readonly Value[] | undefined,
  hints: Hints,
): Promise<void> {
  const wanted = (values ?? [...graph.values.values()]).filter(
    ({ producer }) => producer !== undefined && producer.domain !== COMPOSITE_DOMAIN,
  );
  const passedOn = derivable(graph, new Set(wanted));
  const skipped = new Set(passedOn);
  const asked = wanted.filter((value) => !skipped.has(value));
  await inferWithRanks(model, graph, asked, hints, () => derive(passedOn));
}

/**
 * The same, starting from known types: producers of values with known types are left out. So a tensor whose known size differs from ONNX
 * Runtime's inference passes on its own size, and a few values of a large graph need no large session.
 */
export async function inferFrom(model: ModelProto, graph: Graph, values: readonly Value[]): Promise<void> {
  await inferWithRanks(model, graph, values, { known: [], given: new Map(), cut: cutBefore(graph, values) });
}

/** Repeats with the ranks that ONNX Runtime must be told, as long as there are any. */
async function inferWithRanks(
  model: ModelProto,
  graph: Graph,
  asked: readonly Value[],
  hints: Hints,
  passOn: () => void = () => {},
): Promise<void> {
  let { known } = hints;
  for (;;) {
    await inferOnce(model, graph, asked, { ...hints, known });
    passOn();
    const ranks = rankHints(asked, known);
    if (ranks.length === 0) return;
    known = [...known, ...ranks];
  }
}

function cutBefore(graph: Graph, asked: readonly Value[]): Cut {
  const values = new Set<Value>(asked);
  const needed = new Set<Node>();
  const cut: Value[] = [];
  for (const value of values) {
    const { producer, dtype, shape } = value;
    if (!producer || producer.domain === COMPOSITE_DOMAIN || needed.has(producer)) continue;
    const isKnown = dtype !== undefined && dtype !== 'string' && shape !== undefined && producer.opType !== 'Constant';
    if (isKnown && !asked.includes(value)) cut.push(value);
    else {
      needed.add(producer);
      for (const read of [...producer.inputs, ...producer.captures]) if (read) values.add(read);
    }
  }
  const removed = new Set(graph.nodes.filter((node) => !needed.has(node)));
  return { values: cut.filter(({ producer }) => producer && removed.has(producer)), removed };
}

/** @throws LossgraftError if ONNX Runtime refuses the current graph. It does not infer types. */
export async function verifyGraph(model: ModelProto, graph: Graph): Promise<void> {
  await probe(model, graph, graph.outputs, tensorOutput, { known: [], given: new Map() });
}

async function inferOnce(model: ModelProto, graph: Graph, asked: readonly Value[], hints: Hints): Promise<void> {
  const ports = await probe(model, graph, asked, tensorOutput, hints);
  const ambiguous: Value[] = [];
  for (const value of asked) {
    const port = ports.get(value.name);
    if (port?.dtype === undefined) continue;
    if (!isBfloat16(value)) value.dtype = port.dtype;
    if (port.shape !== undefined && port.shape.length > 0) value.shape = merged(value.shape, port.shape);
    else if (value.shape === undefined) ambiguous.push(value);
  }
  if (!hints.skipsScalars) await settleRanks(model, graph, ambiguous, hints);
}

/** The findings, or what was known before if there are none. */
function merged(before: Shape, found: readonly Dim[]): Shape {
  return before?.length === found.length ? found.map((dim, i) => dim ?? before[i]) : found;
}

/**
 * ONNX Runtime gives up on a Reshape to a computed shape, although the length of that shape is the rank, and on rescaling in scikit-learn
 * pipelines: these ranks are told to it.
 */
function rankHints(asked: readonly Value[], known: readonly ValueInit[]): ValueInit[] {
  const told = new Set(known.map(({ name }) => name));
  return asked.flatMap(({ name, dtype, shape, producer }) => {
    if (shape !== undefined || dtype === undefined || told.has(name)) return [];
    const hint = hintOf(producer);
    return hint ? [{ name, dtype, shape: hint }] : [];
  });
}

const RESCALING = new Set(['Scaler', 'Normalizer', 'Imputer', 'Binarizer']);

function hintOf(producer: Node | undefined): Shape {
  if (producer?.domain === 'ai.onnx.ml') {
    return RESCALING.has(producer.opType) ? producer.inputs[0]?.shape : undefined;
  }
  const rank = producer?.opType === 'Reshape' ? producer.inputs[1]?.shape?.[0] : undefined;
  return typeof rank === 'number' ? new Array<undefined>(rank).fill(undefined) : undefined;
}

/** An unknown rank reads as `[]`, like a scalar's. The Shape operator's own output tells them apart: `[0]` is a scalar. */
async function settleRanks(model: ModelProto, graph: Graph, values: readonly Value[], hints: Hints): Promise<void> {
  if (values.length === 0) return;
  const ports = await probe(model, graph, values, shapeOutput, hints);
  for (const value of values) {
    const rank = ports.get(value.name)?.shape?.[0];
    value.shape = rank === 0 ? [] : undefined;
  }
}

/** What ONNX Runtime cannot infer itself: types, and values that nodes compute from constants. */
interface Hints {
  readonly known: readonly ValueInit[];
  readonly given: ReadonlyMap<Value, Tensor>;
  readonly cut?: Cut;
  /** Values whose rank is 0 or unknown are left without a shape. */
  readonly skipsScalars?: boolean;
}

type Cut = NonNullable<SkeletonRequest['cut']>;

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
  { known, given, cut }: Hints,
): Promise<Map<string, Port>> {
  const probes = new Map(values.map((value) => [value.name, probeOf(value)]));
  const nodes = [...probes.values()].flatMap(({ node }) => (node ? [node] : []));
  const outputs = [...probes.values()].map((p) => p.output);
  const edit = skeletonEdit(model, graph, { outputs, nodes, known, given, ...(cut ? { cut } : {}) });
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
