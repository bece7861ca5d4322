import type { Emitter, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';

/**
 * One pass over the other classes, and all else per sample. With M = max_{k≠y} z_k, δ = M − z_y and μ = max(δ, 0):
 *
 *   A = e^(δ−μ) · Σ_{k≠y} e^(z_k−M),  b = e^−μ,  1 − p_y = A / (A+b),  −log p_y = μ + log(A+b)
 *
 * No difference of near numbers is left, so the small 1 − p of a confident sample keeps its digits. M and μ drop out of the
 * mathematics and are constants to the gradient: all of it flows through A, and −Σ_{k≠y} p_k stands where p_y − 1 would cancel.
 */
export function fused(op: Emitter, logits: Value, labels: Value): Form {
  const { rest, own, shift } = shares(op, logits, labels);
  const total = op.add(rest, own);
  return {
    crossEntropy: () => {
      const log = op.log(total);
      const exact = op.add(shift, logOnePlus(op, { rest, log, excess: op.sub(total, own) }));
      return withGradientOf(op, exact, log);
    },
    gradientNorm: () => op.mul(withGradientOf(op, op.div(rest, total), op.neg(op.div(own, total))), 2),
    oneMinusExp: (x) => withGradientOf(op, exactOneMinusExp(op, x), op.neg(op.exp(op.neg(x)))),
  };
}

/** A (`rest`), b (`own`) and μ (`shift`), [N] each. */
function shares(op: Emitter, logits: Value, labels: Value): { rest: Value; own: Value; shift: Value } {
  const index = op.unsqueeze(labels, [1]);
  const score = op.squeeze(op.gatherElements(logits, index, 1), [1]);
  const lowest = op.expandLike(op.scalar(LOWEST, 'float32'), index);
  const others = op.scatterElements(logits, index, lowest, 1);
  const highest = op.stopGradient(op.reduceMax(others, [1], true));
  const sum = op.reduceSum(op.exp(op.sub(others, highest)), [1]);
  const lead = difference(op, op.squeeze(highest, [1]), score);
  const shift = op.stopGradient(op.relu(lead.rounded));
  const rounded = op.mul(sum, op.exp(op.sub(lead.rounded, shift)));
  return {
    rest: op.add(rounded, op.mul(rounded, lead.lost)),
    own: op.stopGradient(op.exp(op.neg(shift))),
    shift,
  };
}

/** Finite, so that it minus itself is 0 and a model of one class gives a loss of 0. */
const LOWEST = -3.4e38;

/** a − b as a float32 and what rounding it lost: e^(a−b) = e^rounded · (1 + lost). Knuth, TAOCP 2, 4.2.2, theorem B. */
function difference(op: Emitter, a: Value, b: Value): { rounded: Value; lost: Value } {
  const rounded = op.sub(a, b);
  const minusB = op.sub(rounded, a);
  const lost = op.sub(op.sub(a, op.sub(rounded, minusB)), op.add(b, minusB));
  return { rounded, lost: op.stopGradient(lost) };
}

/**
 * log(A+b) where b < 1, and log1p(A) where b = 1: log(A+b) · A / excess, excess = (A+b) − b as rounded.
 * Kahan's log1p (HP-15C Advanced Functions Handbook); at b < 1 the quotient is 1 within rounding.
 */
function logOnePlus(op: Emitter, { rest, log, excess }: { rest: Value; log: Value; excess: Value }): Value {
  const isSeen = op.greater(excess, 0);
  return op.where(isSeen, op.div(op.mul(log, rest), op.where(isSeen, excess, 1)), rest);
}

/** 1 − e^−x as (1 − u) · x / −log(u), u = e^−x: Kahan's expm1. Beyond 64, where u would reach 0, it is 1. */
function exactOneMinusExp(op: Emitter, x: Value): Value {
  const bounded = op.min(x, 64);
  const u = op.exp(op.neg(bounded));
  const gap = op.sub(1, u);
  const isSeen = op.greater(gap, 0);
  const log = op.log(op.where(isSeen, u, 0.5));
  return op.where(isSeen, op.neg(op.div(op.mul(gap, bounded), log)), x);
}

/**
 * The value of `exact` with the gradient of `twin`, which is the same function up to a constant: what makes a value exact
 * has no well-conditioned derivative, and its twin has.
 */
function withGradientOf(op: Emitter, exact: Value, twin: Value): Value {
  return op.add(op.stopGradient(exact), op.sub(twin, op.stopGradient(twin)));
}
