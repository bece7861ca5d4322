import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';
import type { RunningStatistic } from './batchNorm.ts';
import type { ConstantReader } from './constantValues.ts';
import { keysOf, uniformLike } from './randomMask.ts';

export interface Dropouts {
  /** The step counter, if masks are drawn. */
  readonly statistics: readonly RunningStatistic[];
  /** For the report. */
  readonly notes: readonly string[];
}

/** How many steps were taken, float32 []: exact up to 2²⁴. */
export const STEP_COUNTER = 'lossgraft.dropout_step';

/**
 * Turns Dropout `off` in training exports, where it becomes the identity, or on (`train`) in any export that still has it.
 *
 * A mask is a function of the seed, the node, the position and a counter of steps, which is state like a running mean: a resumed run, the
 * loop form, the split form and another provider draw the same masks. (ONNX Runtime's own Dropout with a `seed` does not work: its CPU
 * generator is seeded with seed + run, so that the first element is dropped in every run, the next ones periodically, and node i in run t
 * has the mask of node i + 1 in run t − 1. Seen in 1.30.)
 *
 * @param op of opset 13 or newer; the inputs of Dropouts have known types.
 * @param constants requested if there is a Dropout.
 * @throws LossgraftError `dropout` if a mask is read, or a ratio is computed.
 */
export async function dropout(
  op: Emitter,
  mode: 'off' | 'train',
  seed: number,
  constants: () => Promise<ConstantReader>,
): Promise<Dropouts> {
  const { graph } = op;
  const found = graph.nodes.filter(isDropout);
  if (found.length === 0) return { statistics: [], notes: mode === 'train' ? [NONE] : [] };
  const constant = await constants();
  const drawing = mode === 'train' ? found.filter((node) => ratioOf(node, constant) !== 0) : [];
  const [first] = graph.nodes;
  const counter = first && drawing.length > 0 ? graph.before(first, () => addCounter(op)) : undefined;
  let off = 0;
  for (const node of found) {
    const index = drawing.indexOf(node);
    if (counter && index >= 0) {
      graph.before(node, () => draw(op, node, ratioOf(node, constant), counter.current, keysOf(seed, index)));
    } else if (isOn(node, constant)) off += pass(graph, node);
  }
  if (counter) {
    return { statistics: [counter], notes: [`${drawing.length} Dropout nodes draw masks, seeded with ${seed}`] };
  }
  const notes = off > 0 ? [`${off} Dropout nodes of a training export are turned off`] : [];
  return { statistics: [], notes: mode === 'train' ? [NONE] : notes };
}

const NONE = 'dropout is train, but this model has none: an export for inference removes it. Export in training mode';

function isDropout(node: Node): boolean {
  return node.opType === 'Dropout' && node.domain === '';
}

/** Whether it may drop values as exported: training_mode is true, or known only at run time. */
function isOn({ inputs: [, , mode] }: Node, constant: ConstantReader): boolean {
  return mode !== undefined && constant(mode)?.[0] !== 0;
}

function ratioOf(node: Node, constant: ConstantReader): number {
  const [, ratio] = node.inputs;
  const value = ratio === undefined ? 0.5 : constant(ratio)?.[0];
  if (value !== undefined) return value;
  throw refusal(node, 'a constant ratio', `"${ratio?.name ?? ''}", which is computed`);
}

function addCounter(op: Emitter): RunningStatistic {
  const source: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(0) };
  const current = op.graph.define(STEP_COUNTER, 'float32', []);
  op.graph.initializers.set(current, source);
  return { current, source, next: op.add(current, 1) };
}

/** y = x · (u ≥ ratio) / (1 − ratio), like torch.nn.functional.dropout. */
function draw(op: Emitter, node: Node, ratio: number, step: Value, keys: readonly number[]): void {
  const { graph } = op;
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x?.dtype === undefined) throw refusal(node, 'an input of a known type', `"${x?.name ?? ''}" of an unknown one`);
  refuseMask(graph, node);
  const kept = op.not(op.less(uniformLike(op, x, step, keys), ratio));
  const factor = op.mul(op.cast(kept, x.dtype), ratio < 1 ? 1 / (1 - ratio) : 0);
  graph.replaceNode(node, { opType: 'Mul', inputs: [x, factor], outputs: [y] });
}

function pass(graph: Graph, node: Node): number {
  refuseMask(graph, node);
  graph.replaceNode(node, { opType: 'Identity', inputs: node.inputs.slice(0, 1), outputs: node.outputs.slice(0, 1) });
  return 1;
}

function refuseMask(graph: Graph, node: Node): void {
  const [, mask] = node.outputs;
  if (graph.isRead(mask)) throw refusal(node, 'a mask that nothing reads', `readers of "${mask?.name ?? ''}"`);
}

function refusal(node: Node, expected: string, found: string): LossgraftError {
  const hint = 'Export the model again, with dropout as a separate layer';
  return new LossgraftError({ code: 'dropout', where: describeNode(node), expected, found, hint });
}
