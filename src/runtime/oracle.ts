import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { graphEdit, isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { editedBytes } from '../onnx/index.ts';
import type { ModelEdit, ModelProto, NodeInit, Span, TensorProto, ValueInit } from '../onnx/types.ts';
import type { DataType } from '../tensor.ts';
import { openSession, type Port } from './session.ts';

/** Initializers up to this size stay in the skeleton, since shapes may depend on them; larger ones become inputs. */
const KEPT_BYTES = 1024;

/** Element types of which ONNX Runtime's Node binding has tensors; others, such as bfloat16, cannot be inputs of a session. */
const CARRIED = new Set<DataType | undefined>([
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
]);

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
  await probe(model, graph, graph.outputs, (value) => tensorOutput(graph, value), []);
}

async function inferOnce(
  model: ModelProto,
  graph: Graph,
  asked: readonly Value[],
  known: readonly ValueInit[],
): Promise<void> {
  const ports = await probe(model, graph, asked, (value) => tensorOutput(graph, value), known);
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

function tensorOutput(graph: Graph, value: Value): Probe {
  if (!isBfloat16(value)) return { output: value.name };
  const output = graph.freshName('lossgraft/probe');
  const attributes = new Map([['to', { type: 'int', value: 1n } as const]]);
  return { output, node: { name: output, opType: 'Cast', inputs: [value.name], outputs: [output], attributes } };
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

/** The graph as it stands now, as a skeleton: no large payload, `outputs` listed without a type. */
function skeletonEdit(
  model: ModelProto,
  graph: Graph,
  outputs: readonly string[],
  nodes: readonly NodeInit[],
  known: readonly ValueInit[],
): ModelEdit {
  const { graph: proto } = model;
  const current = graphEdit(model, graph);
  const listed = new Set(proto.inputs.map((info) => info.name));
  const removals = new Set<Span>([...(current.removals ?? []), ...proto.outputs.map((info) => info.span)]);
  const inputs: ValueInit[] = [...(current.inputs ?? [])];
  const casts: NodeInit[] = [];
  for (const tensor of proto.initializers) {
    if (removals.has(tensor.span) || !isHeavy(tensor)) continue;
    const stand = standIn(tensor.name, tensor.dtype, tensor.dims, listed.has(tensor.name));
    if (!stand) continue;
    removals.add(tensor.span);
    inputs.push(...stand.inputs);
    casts.push(...stand.nodes);
  }
  for (const node of graph.nodes) {
    const heavy = heavyConstant(node);
    const name = node.outputs[0]?.name;
    if (!heavy || !node.proto || name === undefined) continue;
    const stand = standIn(name, heavy.dtype, heavy.dims, false);
    if (!stand) continue;
    removals.add(node.proto.span);
    inputs.push(...stand.inputs);
    casts.push(...stand.nodes);
  }
  const replacements = (current.replacements ?? []).filter(({ span }) => !removals.has(span));
  return {
    ...current,
    inputs,
    outputs: [],
    removals: [...removals],
    replacements,
    nodes: [...casts, ...(current.nodes ?? []), ...nodes],
    untypedOutputs: outputs,
    valueInfos: known,
  };
}

interface StandIn {
  readonly inputs: readonly ValueInit[];
  readonly nodes: readonly NodeInit[];
}

/** What a heavy constant is replaced by: an input of its type, through a Cast for bfloat16; `undefined`: it has to stay. */
function standIn(
  name: string,
  dtype: DataType | undefined,
  dims: readonly number[],
  listed: boolean,
): StandIn | undefined {
  if (dtype === 'bfloat16' && !listed) {
    const input = `lossgraft/stand_in/${name}`;
    const attributes = new Map([['to', { type: 'int', value: 16n } as const]]);
    return {
      inputs: [{ name: input, dtype: 'float32', shape: dims }],
      nodes: [{ name: input, opType: 'Cast', inputs: [input], outputs: [name], attributes }],
    };
  }
  if (!CARRIED.has(dtype) || dtype === undefined) return undefined;
  return { inputs: listed ? [] : [{ name, dtype, shape: dims }], nodes: [] };
}

function isHeavy(tensor: TensorProto): boolean {
  const { payload } = tensor;
  if (payload.kind === 'external') return true;
  if (payload.kind === 'raw') return payload.length > KEPT_BYTES;
  return payload.fields.reduce((bytes, field) => bytes + field.end - field.start, 0) > KEPT_BYTES;
}

function heavyConstant(node: Node): TensorProto | undefined {
  if (node.opType !== 'Constant' || node.domain !== '') return undefined;
  const value = node.attributes.get('value');
  if (value?.type !== 'tensor' || !isView(value.value)) return undefined;
  return isHeavy(value.value) ? value.value : undefined;
}

/** Operators whose output type does not follow their first input's. */
const TYPED_OUTPUT = new Set([
  'Shape',
  'Size',
  'Equal',
  'Less',
  'Greater',
  'LessOrEqual',
  'GreaterOrEqual',
  'ArgMax',
  'ArgMin',
  'NonZero',
  'IsNaN',
  'Cast',
]);

/** Marks what is bfloat16 by following it from the inputs and initializers, since a session cannot say so. */
export function markBfloat16(graph: Graph): void {
  const isUsed = [...graph.values.values()].some((value) => value.dtype === 'bfloat16');
  const casts = graph.nodes.some((node) => node.opType === 'Cast' && castTarget(node) === 16n);
  if (!isUsed && !casts) return;
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (!output || output.dtype !== undefined) continue;
    if (node.opType === 'Cast') output.dtype = castTarget(node) === 16n ? 'bfloat16' : undefined;
    else if (!TYPED_OUTPUT.has(node.opType) && node.inputs.some((input) => input && isBfloat16(input))) {
      output.dtype = 'bfloat16';
    }
  }
}

function castTarget(node: Node): bigint | undefined {
  const to = node.attributes.get('to');
  return to?.type === 'int' ? to.value : undefined;
}

function isBfloat16(value: Value): boolean {
  return value.dtype === 'bfloat16';
}

/** @throws LossgraftError where the type of a tensor is needed and ONNX Runtime could not tell it. */
export function requireType(value: Value, why: string): void {
  if (value.dtype !== undefined && value.shape !== undefined) return;
  throw new LossgraftError({
    code: 'unknown-type',
    where: `tensor "${value.name}"${value.producer ? ` of ${describeNode(value.producer)}` : ''}`,
    expected: `a known element type and rank: ${why}`,
    found: `${value.dtype ?? 'no type'}, ${value.shape ? 'known rank' : 'unknown rank'}`,
    hint: 'Run ONNX shape inference on the model first',
  });
}
