import type { Pen, Value } from '../../../src/emit/index.ts';

/** The logistic function of x and related functions, elementwise. Small values keep their digits. */
export interface Logistic {
  /** −log σ(−x) = log(1 + e^x) */
  softplus(): Value;
  /** −log σ(x) */
  softplusOfMinus(): Value;
  /** σ(x) = 1 / (1 + e^−x) */
  sigmoid(): Value;
}

/**
 * All are made from e = e^−|x|, which neither overflows nor cancels: σ(x) is 1/(1+e) or e/(1+e), and log(1 + e^x) = max(x, 0) + log1p(e).
 * The gradients are hand-written, since those of |x| and max(x, 0) are 0 at x = 0, where every new head starts.
 */
export function logistic(op: Pen, x: Value): Logistic {
  const e = op.exp(op.neg(op.abs(x)));
  const total = op.add(e, 1);
  const isPositive = op.greater(x, 0);
  const share = op.div(op.where(isPositive, 1, e), total);
  const rest = op.div(op.where(isPositive, e, 1), total);
  const log = logOf(op, total, e);
  return {
    softplus: () => op.withGradient(op.add(op.relu(x), log), x, (dy) => op.mul(dy, share)),
    softplusOfMinus: () => op.withGradient(op.add(op.relu(op.neg(x)), log), x, (dy) => op.neg(op.mul(dy, rest))),
    sigmoid: () => op.withGradient(op.identity(share), x, (dy) => op.mul(dy, op.mul(share, rest))),
  };
}

/** log(1 + x) from total = 1 + x rounded, plus the first-order effect of the rounding. */
export function logOf(op: Pen, total: Value, x: Value): Value {
  return op.add(op.log(total), op.div(op.sub(x, op.sub(total, 1)), total));
}
