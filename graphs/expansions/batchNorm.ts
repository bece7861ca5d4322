import type { Expansion } from '../../src/contract.ts';
import { floatAttribute, type Operand, unsupported, type Value } from '../../src/emit/index.ts';
import { countAlong, inverse } from '../gradients/support/area.ts';
import { channelsOf } from '../gradients/support/normalize.ts';

/**
 * Inputs x [N, C, …], scale, bias, running mean, running variance [C]; outputs y, the next running mean and variance, and the batch's
 * mean and 1/σ. running ← momentum · running + (1 − momentum) · batch, with the unbiased variance n/(n − 1) as in PyTorch
 * (torch.nn.functional.batch_norm; ONNX's own operator uses the biased one).
 */
export const BatchNormTrain: Expansion = ({ op, node, input }) => {
  const [x, scale, bias, runningMean, runningVariance] = [input(0), input(1), input(2), input(3), input(4)];
  const { over, perChannel } = channelsOf(op, node, x);
  const n = countAlong(op, x, over);
  if (typeof n === 'number' && n < 2) throw unsupported(node, 'more than one value per channel in training', String(n));
  const mean = op.reduceMean(x, over);
  const centred = op.sub(x, perChannel(mean));
  const squares = op.reduceSum(op.mul(centred, centred), over);
  const variance = op.mul(squares, inverse(op, n));
  const inverseDeviation = op.reciprocal(op.sqrt(op.add(variance, floatAttribute(node, 'epsilon', 1e-5))));
  const y = op.add(op.mul(centred, perChannel(op.mul(scale, inverseDeviation))), perChannel(bias));
  const momentum = floatAttribute(node, 'momentum', 0.9);
  const next = (running: Value, batch: Value) => op.add(op.mul(running, momentum), op.mul(batch, 1 - momentum));
  const unbiased = op.mul(squares, inverse(op, typeof n === 'number' ? n - 1 : op.sub(n, 1)));
  return [y, next(runningMean, mean), next(runningVariance, unbiased), mean, inverseDeviation];
};

/**
 * Inputs dy, x, scale, mean, 1/σ; outputs dx, dscale, dbias. With a = Σ dy (x − μ) and b = Σ dy over n values:
 * dx = γ/σ · (dy − b/n − (x − μ) a/(nσ²)), written as dy·k₁ + (x − μ)·k₂ + k₃ with one number each per channel.
 */
export const BatchNormTrainGrad: Expansion = ({ op, node, input }) => {
  const [dy, x, scale, mean, inverseDeviation] = [input(0), input(1), input(2), input(3), input(4)];
  const { over, perChannel } = channelsOf(op, node, x);
  const share: Operand = inverse(op, countAlong(op, x, over));
  const centred = op.sub(x, perChannel(mean));
  const a = op.reduceSum(op.mul(dy, centred), over);
  const b = op.reduceSum(dy, over);
  const dscale = op.mul(a, inverseDeviation);
  const k1 = op.mul(scale, inverseDeviation);
  const shared = op.mul(k1, share);
  const k2 = op.neg(op.mul(shared, op.mul(dscale, inverseDeviation)));
  const k3 = op.neg(op.mul(shared, b));
  const dx = op.add(op.add(op.mul(dy, perChannel(k1)), op.mul(centred, perChannel(k2))), perChannel(k3));
  return [dx, dscale, b];
};
