import type { Pen, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';
import { type OtherClasses, otherClasses } from './otherClasses.ts';

/**
 * One pass over the other classes, and everything else per sample. With S = Σ_{k≠y} e^z_k, the odds against the label are o = S · e^−z_y
 * and
 *
 * 1 − p_y = o / (1 + o), −log p_y = log1p(o)
 *
 * Nearly equal numbers are never subtracted, so the small 1 − p of a confident sample keeps its digits. The gradient is hand-written for the
 * same reason: dz_k = (1 − p_y)/S · e^z_k, and (1 − p_y)/S · −S at the label, where p_y − 1 would cancel.
 */
export function fused(op: Pen, logits: Value, labels: Value): Form {
  const index = op.unsqueeze(labels, [1]);
  const others = otherClasses(op, logits, index);
  const { odds, beyond } = oddsAgainst(op, others);
  const total = op.add(odds, 1);
  const miss = op.div(odds, total);
  const crossEntropy = op.withGradient(op.add(logOf(op, total, odds), beyond), logits, (dy) => {
    const slope = op.scatterElements(others.terms(), index, op.unsqueeze(op.neg(others.sum), [1]), 1);
    return op.mul(slope, op.unsqueeze(op.div(op.mul(dy, miss), others.sum), [1]));
  });
  return {
    crossEntropy: () => crossEntropy,
    gradientNorm: () => op.mul(withGradientOf(op, miss, minusExp(op, crossEntropy)), 2),
    oneMinusExp: (x) => withGradientOf(op, exactOneMinusExp(op, x), minusExp(op, x)),
  };
}

/** Beyond these odds 1 − p_y is 1, and −log p_y is the odds' logarithm. */
const MOST = 1e30;

/** o, at most {@link MOST}, and the logarithm of the rest, [N] each. */
function oddsAgainst(op: Pen, { sum, gap, odds }: OtherClasses): { odds: Value; beyond: Value } {
  return { odds: op.min(odds, MOST), beyond: op.relu(op.sub(op.add(op.log(sum), gap), Math.log(MOST))) };
}

/** log(1 + x) from total = 1 + x rounded, plus the first-order effect of the rounding. */
function logOf(op: Pen, total: Value, x: Value): Value {
  return op.add(op.log(total), op.div(op.sub(x, op.sub(total, 1)), total));
}

function minusExp(op: Pen, x: Value): Value {
  return op.neg(op.exp(op.neg(x)));
}

/** 1 − e^−x as (1 − u) · x / −log(u), u = e^−x: Kahan's expm1. Beyond 64, where u would reach 0, it is 1. */
function exactOneMinusExp(op: Pen, x: Value): Value {
  const bounded = op.min(x, 64);
  const u = op.exp(op.neg(bounded));
  const gap = op.sub(1, u);
  const isSeen = op.greater(gap, 0);
  const log = op.log(op.where(isSeen, u, 0.5));
  return op.where(isSeen, op.neg(op.div(op.mul(gap, bounded), log)), x);
}

/**
 * The value of `exact` with the gradient of `twin`, which is the same function up to a constant: the exact form has no well-conditioned
 * derivative, but its twin has.
 */
function withGradientOf(op: Pen, exact: Value, twin: Value): Value {
  return op.add(op.stopGradient(exact), op.sub(twin, op.stopGradient(twin)));
}
