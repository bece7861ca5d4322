import { createEmitter, type Emitter } from '../emit/index.ts';
import { int, intAttribute } from '../ir/attributes.ts';
import { Graph, type Node, type Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { constantTensor } from './constants.ts';

/**
 * Removes sequences that only wrap tensors: elements of a SequenceConstruct or of equal pieces become the tensor or the slice itself, and
 * joined ones become a Concat. Others stay.
 */
export function unwrapSequences(model: Model, graph: Graph, opset: number): void {
  const op = createEmitter(graph, opset);
  for (const node of graph.nodes) {
    const made = node.domain === '' ? graph.before(node, () => unwrapped(op, model, node)) : undefined;
    const [output] = node.outputs;
    if (!made || !output) continue;
    graph.replaceNode(node, { opType: 'Identity', inputs: [made], outputs: [output] });
  }
}

function unwrapped(op: Emitter, model: Model, { opType, inputs, attributes, ...node }: Node): Value | undefined {
  const source = inputs[0]?.producer;
  if (opType === 'ConcatFromSequence' && source?.opType === 'SequenceConstruct') {
    const axis = Number(attributes.get('axis')?.value ?? 0);
    const isNew = attributes.get('new_axis')?.value === 1n;
    const parts = source.inputs.filter((part) => part !== undefined);
    return op.concat(isNew ? parts.map((part) => op.unsqueeze(part, [axis])) : parts, axis);
  }
  if (opType !== 'SequenceAt' || !inputs[1] || node.outputs.length !== 1) return undefined;
  const [index] = numbersOf(model, op.graph, inputs[1]) ?? [];
  if (index === undefined) return undefined;
  if (source?.opType === 'SequenceConstruct') return source.inputs.at(index);
  return source?.opType === 'SplitToSequence' ? piece(op, model, source, index) : undefined;
}

/** Element `index` of a SplitToSequence in pieces of one size. */
function piece(op: Emitter, model: Model, split: Node, index: number): Value | undefined {
  const [x, sizes] = split.inputs;
  const axis = intAttribute(split, 'axis', 0);
  if (!x) return undefined;
  if (!sizes) {
    const at = op.vector([index]);
    const taken = op.call('Gather', [x, at], { attributes: { axis: int(axis) } });
    return intAttribute(split, 'keepdims', 1) === 0 ? op.squeeze(taken, [axis]) : taken;
  }
  const known = numbersOf(model, op.graph, sizes);
  if (!known || index < 0) return undefined;
  const scalar = sizes.shape?.length === 0 || (known.length === 1 && sizes.shape === undefined);
  const start = scalar ? index * (known[0] ?? 1) : known.slice(0, index).reduce((sum, size) => sum + size, 0);
  const length = scalar ? known[0] : known[index];
  return length === undefined ? undefined : op.slice(x, { axes: [axis], starts: [start], ends: [start + length] });
}

function numbersOf(model: Model, graph: Graph, value: Value): readonly number[] | undefined {
  const tensor = constantTensor(model.proto, graph, value, model.dir);
  return tensor && toNumbers(tensor);
}

/**
 * A Loop that appends a tensor to a sequence in each step, joined afterwards, returns these tensors as a per-step output instead.
 * PyTorch's dynamo exporter writes EmbeddingBag that way.
 *
 * @returns the Loop without the sequence, or the node as it is.
 */
export function withoutInsertions(op: Emitter, node: Node): Node {
  const { graph } = op;
  const body = node.opType === 'Loop' ? node.bodies.get('body') : undefined;
  const at = body?.inputs.findIndex((port, i) => i >= 2 && isInsertion(node, body, port, i - 2)) ?? -1;
  if (!body || at < 2) return node;
  const [insertion] = body.inputs[at]?.uses ?? [];
  const row = insertion?.inputs[1];
  const result = node.outputs[at - 2];
  if (!insertion || !row || !result) return node;
  const joined = [...result.uses];
  const shorter = new Graph(graph);
  for (const [name, value] of body.values) shorter.values.set(name, value);
  for (const [value, source] of body.initializers) shorter.initializers.set(value, source);
  for (const inner of body.takeNodes()) if (inner !== insertion) shorter.attach(inner, inner.inputs, inner.outputs);
  shorter.inputs.push(...body.inputs.filter((_, i) => i !== at));
  shorter.outputs.push(...body.outputs.filter((_, i) => i !== at - 1));
  const pen = createEmitter(shorter, op.opset);
  shorter.outputs.push(pen.identity(row));
  for (const read of [insertion.inputs[0], insertion.inputs[1]]) read?.uses.delete(insertion);
  const rows = graph.define(graph.freshName(`lossgraft/body/${result.name}`));
  const made = graph.replaceNode(node, {
    opType: 'Loop',
    inputs: node.inputs.filter((_, i) => i !== at),
    outputs: [...node.outputs.filter((_, i) => i !== at - 2), rows],
    bodies: new Map([['body', shorter]]),
  });
  for (const join of joined) {
    const [output] = join.outputs;
    const value = graph.before(join, () => joinedRows(op, join, rows));
    if (output) graph.replaceNode(join, { opType: 'Identity', inputs: [value], outputs: [output] });
  }
  return made;
}

/** Whether a state is an initially empty sequence that grows by one tensor in each step, and is joined along the first axis. */
function isInsertion(node: Node, body: Graph, port: Value, k: number): boolean {
  const [insertion, ...others] = port.uses;
  const next = body.outputs[k + 1];
  const result = node.outputs[k];
  return (
    node.inputs[k + 2]?.producer?.opType === 'SequenceEmpty' &&
    others.length === 0 &&
    insertion?.opType === 'SequenceInsert' &&
    insertion.inputs.length === 2 &&
    insertion.inputs[0] === port &&
    insertion.outputs[0] === next &&
    next?.uses.size === 0 &&
    result !== undefined &&
    [...result.uses].every((use) => use.opType === 'ConcatFromSequence' && intAttribute(use, 'axis', 0) === 0)
  );
}

/** [T, r, …] as [T·r, …], or unchanged if the axis is new. */
function joinedRows(op: Emitter, join: Node, rows: Value): Value {
  if (intAttribute(join, 'new_axis', 0) === 1) return op.identity(rows);
  const rest = op.call('Slice', [op.shapeOf(rows), op.vector([2]), op.vector([Number.MAX_SAFE_INTEGER])], {
    dtype: 'int64',
  });
  return op.reshape(rows, op.concat([op.vector([-1]), rest], 0));
}
