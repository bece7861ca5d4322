import type { GradientRule } from '../../src/contract.ts';
import { isEqual } from './support/masks.ts';
import { reduction } from './support/reduction.ts';

export const ReduceSum: GradientRule = reduction(({ op, x, dy }) => op.expandLike(dy, x));
export const ReduceMean: GradientRule = reduction(({ op, x, dy, inverseCount }) =>
  op.expandLike(op.mul(dy, inverseCount()), x),
);
/** Ties share the gradient evenly, as in torch.amax. */
export const ReduceMax: GradientRule = reduction(({ op, x, y, dy, reduce }) => {
  const hits = isEqual(op, x, y);
  return op.mul(hits, op.div(dy, reduce('reduceSum', hits)));
});
export const ReduceMin: GradientRule = ReduceMax;

/** The product of the other elements, without dividing by zero: zeros count as 1, and the result is 0 if another element is 0. */
export const ReduceProd: GradientRule = reduction(({ op, x, dy, reduce }) => {
  const zeros = isEqual(op, x, 0);
  const filled = op.add(x, zeros);
  const others = op.div(reduce('reduceProd', filled), filled);
  const otherZeros = op.sub(reduce('reduceSum', zeros), zeros);
  return op.mul(dy, op.mul(others, isEqual(op, otherZeros, 0)));
});

export const ReduceL1: GradientRule = reduction(({ op, x, dy }) => op.mul(dy, op.sign(x)));
/** x / ‖x‖, and 0 at 0 as in PyTorch. */
export const ReduceL2: GradientRule = reduction(({ op, x, y, dy }) =>
  op.mul(x, op.div(dy, op.add(y, isEqual(op, y, 0)))),
);
export const ReduceSumSquare: GradientRule = reduction(({ op, x, dy }) => op.mul(x, op.mul(dy, 2)));
/** From the sum itself: exp(−y) would multiply the rounding error of y. */
export const ReduceLogSum: GradientRule = reduction(({ op, x, dy, reduce }) =>
  op.expandLike(op.div(dy, reduce('reduceSum', x)), x),
);
/** dy · softmax(x) */
export const ReduceLogSumExp: GradientRule = reduction(({ op, x, dy, reduce }) => {
  const powers = op.exp(op.sub(x, reduce('reduceMax', x)));
  return op.mul(powers, op.div(dy, reduce('reduceSum', powers)));
});
