import type { Pen, Value } from '../../../src/emit/index.ts';

/** 1 where the condition holds, else 0, in the element type of `like`. A Mul by it is far faster than Where on a CPU. */
export function mask(op: Pen, condition: Value, like: Value): Value {
  return op.cast(condition, like.dtype ?? 'float32');
}

/** [x > bound] */
export function isAbove(op: Pen, x: Value, bound: number): Value {
  return mask(op, op.greater(x, bound), x);
}

/** [a = b] */
export function isEqual(op: Pen, a: Value, b: Value | number): Value {
  return mask(op, op.equal(a, b), a);
}
