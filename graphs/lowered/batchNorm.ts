import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { floatAttribute, type Value } from '../../src/emit/index.ts';
import { affine, channelMeans, firstChannels } from './support/calls.ts';
import { paddedVector, roundUp } from './support/filters.ts';

/** Same formula as the expansion; the variance is the mean square of x − mean. */
export const BatchNormTrain: BlockedRule = (context) => {
  const { op, node, input, block, dims } = context;
  const [x, scale, bias, runningMean, runningVariance] = [input(0), input(1), input(2), input(3), input(4)];
  const lengths = dims(x);
  if (!lengths || !context.isBlocked(x)) return undefined;
  const [n, channels, h, w] = lengths;
  const count = n * h * w;
  if (count < 2) return undefined;
  const first = (vector: Value): Value => firstChannels(op, vector, channels, roundUp(channels, block));
  const mean = first(channelMeans(context, context.blocked(x)));
  const centred = centredOn(context, x, mean, channels);
  const variance = channelMeans(context, op.mul(centred, centred));
  const deviation = op.sqrt(op.add(first(variance), floatAttribute(node, 'epsilon', 1e-5)));
  const inverse = op.reciprocal(deviation);
  const padded = (vector: Value): Value => paddedVector(op, vector, channels, block);
  const y = affine(context, centred, padded(op.mul(scale, inverse)), padded(bias));
  const momentum = floatAttribute(node, 'momentum', 0.9);
  const next = (running: Value, batch: Value): Value => op.add(op.mul(running, momentum), op.mul(batch, 1 - momentum));
  const unbiased = op.mul(first(variance), count / (count - 1));
  return [
    { blocked: y },
    { plain: next(runningMean, mean) },
    { plain: next(runningVariance, unbiased) },
    { plain: mean },
    { plain: inverse },
  ];
};

/** Same formula as the expansion, with means over n values: dx = dy·k₁ + (x − μ)·k₂ + k₃. */
export const BatchNormTrainGrad: BlockedRule = (context) => {
  const { op, input, block, dims } = context;
  const [dy, x, scale, mean, inverse] = [input(0), input(1), input(2), input(3), input(4)];
  const lengths = dims(x);
  if (!lengths || !context.isBlocked(x) || !context.canBlock(dy)) return undefined;
  const [n, channels, h, w] = lengths;
  const first = (vector: Value): Value => firstChannels(op, vector, channels, roundUp(channels, block));
  const padded = (vector: Value): Value => paddedVector(op, vector, channels, block);
  const [gradient, centred] = [context.blocked(dy), centredOn(context, x, mean, channels)];
  const a = op.mul(first(channelMeans(context, op.mul(gradient, centred))), inverse);
  const b = first(channelMeans(context, gradient));
  const k1 = op.mul(scale, inverse);
  const k2 = op.neg(op.mul(k1, op.mul(a, inverse)));
  const k3 = op.neg(op.mul(k1, b));
  const along = affine(context, centred, padded(k2));
  const dx = affine(context, gradient, padded(k1), padded(k3), along);
  const count = n * h * w;
  return [{ blocked: dx }, { plain: op.mul(a, count) }, { plain: op.mul(b, count) }];
};

/** With running statistics: x·k + (β − μ·k), k = γ/σ. */
export const BatchNormalization: BlockedRule = (context) => {
  const { op, node, input, block, dims } = context;
  const [x, scale, bias, mean, variance] = [input(0), input(1), input(2), input(3), input(4)];
  const lengths = dims(x);
  if (!lengths || !context.isBlocked(x) || node.outputs.length !== 1) return undefined;
  const padded = (vector: Value): Value => paddedVector(op, vector, lengths[1], block);
  const deviation = op.sqrt(op.add(variance, floatAttribute(node, 'epsilon', 1e-5)));
  const k = op.mul(scale, op.reciprocal(deviation));
  return [{ blocked: affine(context, context.blocked(x), padded(k), padded(op.sub(bias, op.mul(mean, k)))) }];
};

/** Blocked x − μ. Both passes write it the same way, so the runtime computes it once. */
function centredOn(context: BlockedContext, x: Value, mean: Value, channels: number): Value {
  const { op, block } = context;
  const ones = op.constant({
    dtype: 'float32',
    dims: [roundUp(channels, block)],
    data: new Float32Array(roundUp(channels, block)).fill(1),
  });
  return affine(context, context.blocked(x), ones, paddedVector(op, op.neg(mean), channels, block));
}
