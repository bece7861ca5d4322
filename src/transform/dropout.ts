import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';
import type { RunningStatistic } from './batchNorm.ts';
import type { ConstantReader } from './constantValues.ts';
import { type Keys, keysOf, uniformLike } from './randomMask.ts';

export interface Dropouts {
  /** The step counter, if masks are drawn. */
  readonly statistics: readonly RunningStatistic[];
  /** For the report. */
  readonly notes: readonly string[];
}

/** How many steps were taken, float32 []: exact up to 2²⁴. */
export const STEP_COUNTER = 'lossgraft.dropout_step';

/** The place of a batch's first row in the whole batch of which it is a part, int64 []: an input of the split form. */
export const ROW_OFFSET = 'lossgraft.row_offset';

/** How masks are drawn. */
export interface Masks {
  readonly mode: 'off' | 'train';
  readonly seed: number;
  /** Whether a batch may be a part of a larger one, whose masks its rows get: then {@link ROW_OFFSET} becomes an input. */
  readonly ofParts: boolean;
}

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
 * @throws LossgraftError `dropout` if a mask is read, a ratio is computed, or rows cannot be told apart from each other.
 */
export async function dropout(
  op: Emitter,
  { mode, seed, ofParts }: Masks,
  constants: () => Promise<ConstantReader>,
): Promise<Dropouts> {
  const { graph } = op;
  const found = graph.nodes.filter(isDropout);
  if (found.length === 0) return { statistics: [], notes: mode === 'train' ? [NONE] : [] };
  const constant = await constants();
  const drawing = mode === 'train' ? found.filter((node) => ratioOf(node, constant) !== 0) : [];
  const [first] = graph.nodes;
  const counter = first && drawing.length > 0 ? graph.before(first, () => addCounter(op)) : undefined;
  if (counter && ofParts) for (const node of drawing) refuseOtherRows(graph, node);
  const offset = first && counter && ofParts ? graph.before(first, () => addOffset(op)) : undefined;
  let off = 0;
  for (const node of found) {
    const index = drawing.indexOf(node);
    if (counter && index >= 0) {
      const place = { step: counter.current, keys: keysOf(seed, index), offset };
      graph.before(node, () => draw(op, node, ratioOf(node, constant), place));
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

function addOffset(op: Emitter): Value {
  const offset = op.graph.define(ROW_OFFSET, 'int64', []);
  op.graph.inputs.push(offset);
  return op.cast(offset, 'float64');
}

/** A row of the batch must be a row of the mask. */
function refuseOtherRows({ inputs }: Graph, node: Node): void {
  const [rows] = node.inputs[0]?.shape ?? [];
  const firsts = inputs.map(({ shape }) => shape?.[0]);
  const symbols = firsts.filter((size) => typeof size === 'string');
  if (rows !== undefined && (symbols.length > 0 ? symbols : firsts).some((size) => size === rows)) return;
  throw new LossgraftError({
    code: 'dropout',
    where: describeNode(node),
    expected: 'the samples of the batch in the first dimension, so that each worker draws the masks of its own samples',
    found: `${rows === undefined ? 'a dimension of another size' : `"${rows}"`} in ${describeShape(node)}`,
    hint: `Use ${option('dropout', 'off')}, or train in one process`,
  });
}

function describeShape({ inputs: [x] }: Node): string {
  return `"${x?.name ?? ''}" [${x?.shape?.map((size) => size ?? '?').join(', ') ?? '?'}]`;
}

interface MaskPlace {
  readonly step: Value;
  readonly keys: Keys;
  readonly offset: Value | undefined;
}

/** y = x · (u ≥ ratio) / (1 − ratio), like torch.nn.functional.dropout. */
function draw(op: Emitter, node: Node, ratio: number, { step, keys, offset }: MaskPlace): void {
  const { graph } = op;
  const [x] = node.inputs;
  const [y] = node.outputs;
  if (x?.dtype === undefined) throw refusal(node, 'an input of a known type', `"${x?.name ?? ''}" of an unknown one`);
  refuseMask(graph, node);
  const kept = op.not(op.less(uniformLike(op, x, step, keys, offset), ratio));
  const factor = op.where(kept, op.scalar(ratio < 1 ? 1 / (1 - ratio) : 0, x.dtype), 0);
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
