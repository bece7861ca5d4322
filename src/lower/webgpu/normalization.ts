import { floatAttribute, intAttribute, intsAttribute, type Pen, type Value } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/** x − max − log Σ e^(x − max): there is no kernel. Below opset 13 all axes from `axis` on are one. */
export const LogSoftmax: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const since13 = op.opset >= 13;
  const axis = intAttribute(node, 'axis', since13 ? -1 : 1);
  const rank = x.shape?.length;
  if (!since13 && rank === undefined) return undefined;
  const axes = since13 ? [axis] : range(rank ?? 0).slice(axis);
  const shifted = op.sub(x, op.reduceMax(x, axes, true));
  return [op.sub(shifted, op.log(op.reduceSum(op.exp(shifted), axes, true)))];
};

/** max + log Σ e^(x − max): the kernel returns infinity from 89 on. */
export const ReduceLogSumExp: NodeForm = ({ op, node, input, constant }) => {
  const x = input(0);
  const axes = axesOf(node.inputs[1], intsAttribute(node, 'axes'), constant);
  if (axes === undefined || intAttribute(node, 'noop_with_empty_axes', 0) === 1) return undefined;
  const keepDims = intAttribute(node, 'keepdims', 1) === 1;
  const along = axes.length > 0 ? axes : undefined;
  const largest = op.reduceMax(x, along, true);
  const sum = op.log(op.reduceSum(op.exp(op.sub(x, largest)), along, true));
  const kept = op.add(sum, largest);
  if (keepDims) return [kept];
  return along ? [op.squeeze(kept, along)] : [op.reshape(kept, [])];
};

/** The axes of a reduction; `[]` for all, `undefined` if unknown. */
function axesOf(
  given: Value | undefined,
  attribute: readonly number[] | undefined,
  constant: (value: Value) => readonly number[] | undefined,
): readonly number[] | undefined {
  return given === undefined ? (attribute ?? []) : constant(given);
}

/** (x − μ) · γ/√(σ² + ε) + β of vectors: in NCHW the kernel computes wrong numbers if the number of channels is even. */
export const BatchNormalization: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  if (x.shape?.length !== 2 || intAttribute(node, 'training_mode', 0) === 1) return undefined;
  const [scale, shift, mean, variance] = [input(1), input(2), input(3), input(4)];
  const factor = op.div(scale, op.sqrt(op.add(variance, floatAttribute(node, 'epsilon', 1e-5))));
  return [op.add(op.mul(op.sub(x, mean), factor), shift)];
};

/** From the mean and variance of each plane: the kernel uses the ε of a process's first node for all nodes. */
export const InstanceNormalization: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const rank = x.shape?.length;
  if (rank === undefined || rank < 3) return undefined;
  const axes = range(rank).slice(2);
  const perChannel = (value: Value): Value => op.reshape(value, [1, -1, ...axes.map(() => 1)]);
  const centred = op.sub(x, op.reduceMean(x, axes, true));
  const variance = op.reduceMean(op.mul(centred, centred), axes, true);
  const deviation = op.sqrt(op.add(variance, floatAttribute(node, 'epsilon', 1e-5)));
  return [op.add(op.mul(op.div(centred, deviation), perChannel(input(1))), perChannel(input(2)))];
};

/** (x − mean) / (√(mean of squares − mean²) + 1e-9): there is no kernel. */
export const MeanVarianceNormalization: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const axes = intsAttribute(node, 'axes') ?? [0, 2, 3];
  const centred = op.sub(x, op.reduceMean(x, axes, true));
  const deviation = op.sqrt(op.reduceMean(op.mul(centred, centred), axes, true));
  return [op.div(centred, op.add(deviation, 1e-9))];
};

/** x / (k + α/n Σ x²)^β over neighbouring channels: there is no kernel. */
export const LRN: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const channels = x.shape?.[1];
  const rank = x.shape?.length;
  if (typeof channels !== 'number' || rank === undefined) return undefined;
  const size = intAttribute(node, 'size', 1);
  const before = Math.floor((size - 1) / 2);
  const ends = range(2 * rank).map((i) => (i === 1 ? before : i === rank + 1 ? size - 1 - before : 0));
  const squares = op.call('Pad', [op.mul(x, x), op.vector(ends)]);
  const sum = range(size)
    .map((i) => op.slice(squares, { axes: [1], starts: [i], ends: [i + channels] }))
    .reduce((total, part) => op.add(total, part));
  const base = op.add(op.mul(sum, floatAttribute(node, 'alpha', 1e-4) / size), floatAttribute(node, 'bias', 1));
  return [op.div(x, power(op, base, floatAttribute(node, 'beta', 0.75)))];
};

/** (Σ |x|ᵖ)^(1/p) of each plane: there is no kernel. */
export const GlobalLpPool: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const rank = x.shape?.length;
  if (rank === undefined) return undefined;
  const p = intAttribute(node, 'p', 2);
  const axes = range(rank).slice(2);
  if (p === 1) return [op.reduceSum(op.abs(x), axes, true)];
  if (p === 2) return [op.sqrt(op.reduceSum(op.mul(x, x), axes, true))];
  return [op.pow(op.reduceSum(op.pow(op.abs(x), p), axes, true), 1 / p)];
};

function power(op: Pen, base: Value, exponent: number): Value {
  return op.exp(op.mul(op.log(base), exponent));
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
