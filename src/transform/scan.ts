import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { nodeInit, patchesInside, valueInit } from '../ir/edit.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { rewireNode } from '../onnx/index.ts';
import type { GraphInit, ModelProto, NodeInit, RawNode } from '../onnx/types.ts';
import type { State } from './optimize.ts';

const STEPS = 'steps';

/**
 * Makes the step the body of a Scan over the leading axis of its data: inputs other than states get a further axis, states are carried
 * between iterations, and the losses are collected. So weights cross to the device and back once per many steps. A Scan gives the body a
 * view of each batch, whereas a Loop would have to Gather it: 7 to 10 % of a small step.
 *
 * @returns the states with their last values, and the losses [steps].
 */
export function scanSteps(
  model: ModelProto,
  op: Emitter,
  states: readonly State[],
  loss: Value,
): { readonly states: readonly State[]; readonly losses: Value } {
  const { graph } = op;
  const current = new Set(states.map((state) => state.current));
  const data = graph.inputs.filter((input) => !current.has(input));
  const carried = states.map((state) => inner(graph, state.current));
  const rows = data.map((input) => inner(graph, input));
  for (const input of data) addAxis(graph, input);
  const seen = new Set<Value>(carried);
  const nexts = states.map((state) => bodyOutput(op, nextInside(state, states, carried), seen));
  const lossOut = bodyOutput(op, loss, seen);
  const nodes = graph.takeNodes().map((node) => bodyNode(model, graph, node));
  const body: GraphInit = {
    name: 'step',
    nodes,
    initializers: [],
    inputs: [...carried, ...rows].map(valueInit),
    outputs: [...nexts, lossOut].map(valueInit),
  };
  return callScan(op, body, states, data);
}

/** Each output of a body must be a distinct value that the body computes; others are copied by an Identity. */
function bodyOutput(op: Emitter, value: Value, seen: Set<Value>): Value {
  if (value.producer === undefined || value.producer.proto !== undefined || seen.has(value)) return op.identity(value);
  seen.add(value);
  return value;
}

/** The body's counterpart of `outer`: a body must not reuse an outer name. */
function inner(graph: Graph, outer: Value): Value {
  const value = graph.define(`lossgraft/step/${outer.name}`, outer.dtype, outer.shape);
  graph.replaceUses(outer, value);
  const [left] = outer.uses;
  if (!left) return value;
  throw new LossgraftError({
    code: 'captured-by-subgraph',
    where: describeNode(left),
    expected: `"${outer.name}" to be read by nodes of the model itself, to scan over steps`,
    found: 'a subgraph that reads it',
    hint: `Write a single step instead: leave ${option('stepsPerRun')} out`,
  });
}

function addAxis(graph: Graph, input: Value): void {
  input.shape = [STEPS, ...(input.shape ?? [])];
  graph.infos.delete(input);
}

/** An unchanged state passes its value through. */
function nextInside(state: State, states: readonly State[], carried: readonly Value[]): Value {
  const at = states.findIndex(({ current }) => current === state.next);
  const value = at < 0 ? state.next : (carried[at] ?? state.next);
  value.dtype ??= state.current.dtype;
  value.shape = state.current.shape;
  return value;
}

function bodyNode(model: ModelProto, graph: Graph, node: Node): NodeInit | RawNode {
  if (!node.proto) return nodeInit(node);
  const names = (values: readonly (Value | undefined)[]) => values.map((value) => value?.name ?? '');
  const wires = { inputs: names(node.inputs), outputs: names(node.outputs) };
  return { raw: rewireNode(model.source, node.proto, wires, patchesInside(graph, node.proto)) };
}

function callScan(
  op: Emitter,
  body: GraphInit,
  states: readonly State[],
  data: readonly Value[],
): { readonly states: readonly State[]; readonly losses: Value } {
  const outputs = [
    ...states.map(({ current }) => ({ dtype: current.dtype, shape: current.shape })),
    { dtype: 'float32', shape: [STEPS] } as const,
  ];
  const inputs = [...states.map(({ current }) => current), ...data];
  const values = op.callAll('Scan', inputs, outputs, {
    attributes: { body: { type: 'graph', value: body }, num_scan_inputs: { type: 'int', value: BigInt(data.length) } },
  });
  const losses = values[states.length];
  if (!losses) throw new Error('the Scan has no losses');
  return { states: states.map((state, i) => ({ ...state, next: values[i] ?? state.next })), losses };
}
