import { binary, type GradientRule } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { isEqual, mask } from './masks.ts';

/** y = xᵖ; the exponent may have another type. Both gradients are 0 where PyTorch's are: p = 0, and x = 0 with p ≥ 0. */
export const powGradients: GradientRule = (context) => {
  const exponents = context.known(1);
  const [p] = exponents ?? [];
  if (p !== undefined && exponents?.every((other) => other === p)) {
    return [byConstant(context.op, context.input(0), p, context.dy)];
  }
  return general(context);
};

const general: GradientRule = binary(({ op, a: x, b, y, dy }) => {
  const p = b.dtype === x.dtype ? b : op.cast(b, x.dtype ?? 'float32');
  const lowered = op.add(op.sub(p, 1), isEqual(op, p, 0));
  const isFlat = op.and(op.equal(x, 0), op.not(op.less(p, 0)));
  const base = op.add(x, mask(op, isFlat, x));
  return [op.mul(dy, op.mul(p, op.pow(x, lowered))), op.mul(dy, op.mul(y, op.log(base)))];
});

function byConstant(op: Pen, x: Value, p: number, dy: Value): Value | undefined {
  if (p === 0) return undefined;
  if (p === 1) return dy;
  return op.mul(dy, op.mul(p === 2 ? x : op.pow(x, p - 1), p));
}
