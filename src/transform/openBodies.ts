import { createEmitter } from '../emit/index.ts';
import { nodeOf } from '../ir/bodies.ts';
import { nodeInit, patchesInside } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { blankModel, encodeNodeFields, rescan, rewireNode } from '../onnx/index.ts';
import { inferFrom, inferTypes } from '../runtime/oracle/oracle.ts';
import type { Shape } from '../tensor.ts';
import { unwrapSequences, withoutInsertions } from './sequences.ts';

const CONTROL = new Set(['If', 'Loop', 'Scan']);

/**
 * Turns the bodies of If, Loop and Scan into graphs, so that their nodes can be differentiated. The runtime infers their types from the
 * values they read. A node whose bodies contain what a new one cannot stays as it is.
 */
export async function openBodies(model: Model, graph: Graph, opset: number): Promise<void> {
  for (const node of openStructures(model, graph, opset)) await typeBodies(node, opset);
}

/** The same without types in the bodies. Sequences that only wrap tensors go. */
export function openStructures(model: Model, graph: Graph, opset: number): Node[] {
  unwrapSequences(model, graph, opset);
  const closed = graph.nodes.filter(
    ({ domain, opType, bodies }) => domain === '' && CONTROL.has(opType) && bodies.size === 0,
  );
  return closed.flatMap((node) => {
    const opened = openedNode(model, graph, node);
    return opened ? [withoutInsertions(createEmitter(graph, opset), opened)] : [];
  });
}

function openedNode(model: Model, graph: Graph, node: Node): Node | undefined {
  const names = (values: readonly (Value | undefined)[]) => values.map((value) => value?.name ?? '');
  const wires = { inputs: names(node.inputs), outputs: names(node.outputs) };
  const bytes = node.proto
    ? rewireNode(model.proto.source, node.proto, wires, patchesInside(graph, node.proto))
    : encodeNodeFields([nodeInit(node)]);
  const { graph: fields, reader } = rescan(bytes, model.name);
  const [proto] = fields.nodes;
  const outer = (name: string): Value | undefined => graph.values.get(name);
  const made = proto && nodeOf(proto, graph, { source: reader.source, dir: model.dir, outer });
  if (!made || made.bodies.size === 0) return undefined;
  const { inputs, outputs } = node;
  return graph.replaceNode(node, {
    opType: node.opType,
    inputs,
    outputs,
    attributes: made.attributes,
    bodies: made.bodies,
  });
}

/** @throws LossgraftError if the runtime refuses a body. */
async function typeBodies(node: Node, opset: number): Promise<void> {
  typeInputs(node);
  for (const body of node.bodies.values()) {
    for (let isSettled = false; !isSettled; ) {
      await typeBody(body, opset);
      isSettled = node.opType !== 'Loop' || !loosenStates(body);
    }
    const inner = body.nodes.filter(({ bodies }) => bodies.size > 0);
    for (const each of inner) await typeBodies(each, opset);
    if (inner.length > 0) await typeBody(body, opset, true);
    typeOutputs(node, body);
  }
}

/** Unknown types of a body's outputs come from the values they become, and vice versa. */
function typeOutputs({ opType, outputs, attributes }: Node, body: Graph): void {
  const sequences = Number(attributes.get('num_scan_inputs')?.value ?? 0);
  const states = opType === 'If' ? body.outputs.length : body.inputs.length - (opType === 'Loop' ? 2 : sequences);
  const first = opType === 'Loop' ? 1 : 0;
  for (const [i, given] of body.outputs.slice(first).entries()) {
    const output = outputs[i];
    const port = opType === 'If' ? undefined : body.inputs[opType === 'Loop' ? i + 2 : i];
    const isState = i < states;
    given.dtype ??= output?.dtype ?? (isState ? port?.dtype : undefined);
    given.shape ??= isState ? (port?.shape ?? output?.shape) : output?.shape?.slice(1);
    if (!output) continue;
    output.dtype ??= given.dtype;
    output.shape ??= isState ? given.shape : given.shape && [undefined, ...given.shape];
  }
}

/** The types of a body's inputs come from the node's inputs. */
function typeInputs({ opType, inputs, bodies, attributes }: Node): void {
  const body = bodies.get('body');
  if (!body) return;
  const count = opType === 'Scan' ? Number(attributes.get('num_scan_inputs')?.value ?? 0) : 0;
  for (const [i, port] of body.inputs.entries()) {
    const given = inputs[i];
    port.dtype = given?.dtype ?? port.dtype;
    if (opType === 'Loop' && i < 2) [port.dtype, port.shape] = [i === 0 ? 'int64' : 'bool', []];
    else port.shape = i >= inputs.length - count && opType === 'Scan' ? given?.shape?.slice(1) : given?.shape;
  }
}

/** @param onlyUnknown keeps known types, for example from inner bodies, and infers the rest from them. */
async function typeBody(body: Graph, opset: number, onlyUnknown = false): Promise<void> {
  const made = body.nodes.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
  if (made.length === 0) return;
  const reads = body.nodes.flatMap(({ inputs, captures }) => [...inputs, ...captures]);
  const outer = new Set(reads.filter((value) => value !== undefined && body.values.get(value.name) !== value));
  const ports = [...body.inputs, ...outer].filter((value) => value !== undefined);
  if (ports.some(({ dtype, shape }) => dtype === undefined || shape === undefined)) return;
  const inputs = body.inputs.splice(0);
  const outputs = body.outputs.splice(0);
  body.inputs.push(...ports);
  try {
    const unknown = made.filter(({ dtype, shape }) => dtype === undefined || shape === undefined);
    if (!onlyUnknown) await inferTypes(blankModel(opset, 'body'), body, made);
    else if (unknown.length > 0) await inferFrom(blankModel(opset, 'body'), body, unknown);
  } finally {
    body.inputs.splice(0, body.inputs.length, ...inputs);
    body.outputs.push(...outputs);
  }
}

/** Clears the sizes of states that change from step to step. Returns whether there were any. */
function loosenStates(body: Graph): boolean {
  let isLoosened = false;
  for (const [i, port] of body.inputs.entries()) {
    const next = i < 2 ? undefined : body.outputs[i - 1];
    const shape = next && commonShape(port.shape, next.shape);
    if (!next || JSON.stringify(shape) === JSON.stringify(port.shape)) continue;
    port.shape = shape;
    isLoosened = true;
  }
  return isLoosened;
}

function commonShape(a: Shape, b: Shape): Shape {
  if (a === undefined || b === undefined || a.length !== b.length) return undefined;
  return a.map((dim, i) => (dim === b[i] ? dim : undefined));
}
