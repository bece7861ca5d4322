import { type Emitter, intAttribute, intsAttribute, type Node, type Value } from '../../emit/index.ts';
import { isView } from '../../ir/edit.ts';
import type { Graph } from '../../ir/graph.ts';
import type { NodeForm } from '../adapt.ts';

/** The most nodes that a Scan may become: each adds to the time of opening and of a run. */
const MOST_NODES = 4000;

/**
 * Unrolls a Scan that lossgraft wrote, over a known number of elements: ONNX Runtime runs loops on the CPU, and much of what follows them
 * too.
 */
export const Scan: NodeForm = ({ op, node }) => {
  const body = node.bodies.get('body');
  const count = intAttribute(node, 'num_scan_inputs', 0);
  const sequences = node.inputs.slice(node.inputs.length - count);
  const length = sequences[0]?.shape?.[0];
  if (!body || typeof length !== 'number' || length < 1 || !isFlat(body)) return undefined;
  if (length * body.nodes.length > MOST_NODES) return undefined;
  const directions = (name: string, size: number): readonly number[] =>
    intsAttribute(node, name) ?? Array.from({ length: size }, () => 0);
  const into = directions('scan_input_directions', count);
  let states = node.inputs.slice(0, node.inputs.length - count);
  const results: Value[][] = body.outputs.slice(states.length).map(() => []);
  for (let step = 0; step < length; step++) {
    const elements = sequences.map(
      (sequence, i) => sequence && elementOf(op, sequence, into[i] === 1 ? length - 1 - step : step),
    );
    const given = stepOf(op, body, [...states, ...elements]);
    states = given.slice(0, states.length);
    for (const [i, value] of given.slice(states.length).entries()) results[i]?.push(value);
  }
  const out = directions('scan_output_directions', results.length);
  const joined = results.map((parts, i) => joinedOf(op, out[i] === 1 ? parts.reverse() : parts));
  return [...states.map((state) => op.identity(required(node, state))), ...joined];
};

function isFlat({ nodes, initializers }: Graph): boolean {
  return nodes.every(({ bodies, proto }) => bodies.size === 0 && !proto) && ![...initializers.values()].some(isView);
}

function elementOf(op: Emitter, sequence: Value, i: number): Value {
  const part = op.slice(sequence, { axes: [0], starts: [i], ends: [i + 1] });
  part.shape = sequence.shape && [1, ...sequence.shape.slice(1)];
  return op.squeeze(part, [0]);
}

function joinedOf(op: Emitter, parts: readonly Value[]): Value {
  return op.concat(
    parts.map((part) => op.unsqueeze(part, [0])),
    0,
  );
}

/** Another copy of the body's nodes, reading `inputs`. */
function stepOf(op: Emitter, body: Graph, inputs: readonly (Value | undefined)[]): Value[] {
  const copies = new Map<Value, Value>();
  for (const [i, input] of body.inputs.entries()) {
    const given = inputs[i];
    if (given) copies.set(input, given);
  }
  for (const [value, tensor] of body.initializers) if (!isView(tensor)) copies.set(value, op.constant(tensor));
  for (const { opType, domain, attributes, inputs: reads, outputs } of body.nodes) {
    const read = reads.map((value) => value && (copies.get(value) ?? value));
    const made = outputs.map((value) => ({ dtype: value?.dtype, shape: value?.shape }));
    const options = { domain, attributes: Object.fromEntries(attributes) };
    const values = op.callAll(opType, read, made, options as Parameters<Emitter['callAll']>[3]);
    for (const [i, value] of outputs.entries()) if (value && values[i]) copies.set(value, values[i]);
  }
  return body.outputs.map((value) => copies.get(value) ?? value);
}

function required(node: Node, value: Value | undefined): Value {
  if (value) return value;
  throw new Error(`${node.name} has no state`);
}
