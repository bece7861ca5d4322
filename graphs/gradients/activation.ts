import { type GradientRule, unary } from '../../src/contract.ts';
import { floatAttribute, stringAttribute } from '../../src/emit/index.ts';
import { isAbove } from './support/masks.ts';

/** A mask instead of a Where, which is many times slower. So an infinite dy gives NaN where the unit is off (PyTorch: 0). */
export const Relu: GradientRule = unary(({ op, y, dy }) => op.mul(dy, isAbove(op, y, 0)));
export const ThresholdedRelu: GradientRule = unary(({ op, node, x, dy }) =>
  op.mul(dy, isAbove(op, x, floatAttribute(node, 'alpha', 1))),
);
/** [|x| > λ] */
export const Shrink: GradientRule = unary(({ op, node, x, dy }) =>
  op.mul(dy, isAbove(op, op.abs(x), floatAttribute(node, 'lambd', 0.5))),
);
/** α + (1 − α)[x > 0] */
export const LeakyRelu: GradientRule = unary(({ op, node, x, dy }) => {
  const alpha = floatAttribute(node, 'alpha', 0.01);
  return op.mul(dy, op.add(op.mul(isAbove(op, x, 0), 1 - alpha), alpha));
});
export const PRelu: GradientRule = ({ op, input, dy }) => {
  const x = input(0);
  const above = op.mul(dy, isAbove(op, x, 0));
  return [op.add(above, op.mul(input(1), op.sub(dy, above))), op.mul(dy, op.min(x, 0))];
};

/** α·exp(min(x, 0)) + (1 − α)[x > 0], whose exponential cannot overflow in the other branch. */
export const Elu: GradientRule = unary(({ op, node, x, dy }) => {
  const alpha = floatAttribute(node, 'alpha', 1);
  const decay = op.exp(op.min(x, 0));
  return op.mul(dy, alpha === 1 ? decay : op.add(op.mul(decay, alpha), op.mul(isAbove(op, x, 0), 1 - alpha)));
});
export const Celu: GradientRule = unary(({ op, node, x, dy }) =>
  op.mul(dy, op.exp(op.mul(op.min(x, 0), 1 / floatAttribute(node, 'alpha', 1)))),
);
export const Selu: GradientRule = unary(({ op, node, x, dy }) => {
  const gamma = floatAttribute(node, 'gamma', SELU_GAMMA);
  const alpha = floatAttribute(node, 'alpha', SELU_ALPHA);
  const decay = op.mul(op.exp(op.min(x, 0)), gamma * alpha);
  return op.mul(dy, op.add(decay, op.mul(isAbove(op, x, 0), gamma * (1 - alpha))));
});
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

export const Sigmoid: GradientRule = unary(({ op, y, dy }) => op.mul(dy, op.mul(y, op.sub(1, y))));
export const Softplus: GradientRule = unary(({ op, x, dy }) => op.mul(dy, op.sigmoid(x)));
/** 1 / (1 + |x|)² */
export const Softsign: GradientRule = unary(({ op, x, dy }) => {
  const scale = op.add(op.abs(x), 1);
  return op.div(op.div(dy, scale), scale);
});
/** α where 0 < y < 1, which is where y(1 − y) > 0. */
export const HardSigmoid: GradientRule = unary(({ op, node, y, dy }) =>
  op.mul(dy, op.mul(isAbove(op, op.mul(y, op.sub(1, y)), 0), floatAttribute(node, 'alpha', 0.2))),
);
/** y = x·h with h = clip(x/6 + 1/2, 0, 1): h + x/6 · [0 < h < 1] */
export const HardSwish: GradientRule = unary(({ op, x, dy }) => {
  const h = op.min(op.max(op.add(op.mul(x, 1 / 6), 0.5), 0), 1);
  const slope = op.mul(isAbove(op, op.mul(h, op.sub(1, h)), 0), op.mul(x, 1 / 6));
  return op.mul(dy, op.add(h, slope));
});
/** y = x·t with t = tanh(softplus(x)): t + x·σ(x)(1 − t²) */
export const Mish: GradientRule = unary(({ op, x, dy }) => {
  const t = op.tanh(op.softplus(x));
  return op.mul(dy, op.add(t, op.mul(x, op.mul(op.sigmoid(x), op.sub(1, op.mul(t, t))))));
});
/** y = x·σ(αx): s + αx·s(1 − s) */
export const Swish: GradientRule = unary(({ op, node, x, dy }) => {
  const scaled = op.mul(x, floatAttribute(node, 'alpha', 1));
  const s = op.sigmoid(scaled);
  return op.mul(dy, op.add(s, op.mul(scaled, op.mul(s, op.sub(1, s)))));
});
export const Gelu: GradientRule = (context) =>
  stringAttribute(context.node, 'approximate', 'none') === 'tanh' ? geluTanh(context) : geluErf(context);

/** y = x·Φ(x): Φ(x) + x·φ(x) */
const geluErf: GradientRule = unary(({ op, x, dy }) => {
  const cdf = op.mul(op.add(op.erf(op.mul(x, Math.SQRT1_2)), 1), 0.5);
  const density = op.mul(op.exp(op.mul(op.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return op.mul(dy, op.add(cdf, op.mul(x, density)));
});
/** y = x(1 + t)/2 with t = tanh(√(2/π)(x + cx³)): (1 + t)/2 + x(1 − t²)/2 · √(2/π)(1 + 3cx²) */
const geluTanh: GradientRule = unary(({ op, x, dy }) => {
  const c = 0.044715;
  const k = Math.sqrt(2 / Math.PI);
  const square = op.mul(x, x);
  const t = op.tanh(op.mul(op.mul(x, op.add(op.mul(square, c), 1)), k));
  const inner = op.mul(op.add(op.mul(square, 3 * c), 1), k / 2);
  const sech2 = op.mul(op.mul(x, op.sub(1, op.mul(t, t))), inner);
  return op.mul(dy, op.add(op.mul(op.add(t, 1), 0.5), sech2));
});
