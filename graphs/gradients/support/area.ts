import { elementCount, type Operand, type Pen, staticDims, type Value } from '../../../src/emit/index.ts';
import { lengthOf } from '../../support/shapes.ts';

/** The number of elements of x along axes, in x's own type; a constant where the lengths are known. */
export function countAlong(op: Pen, x: Value, axes: readonly number[]): Operand {
  const known = staticDims(axes.map((axis) => x.shape?.[axis]));
  if (known) return elementCount(known);
  const [first = op.vector([1]), ...rest] = axes.map((axis) => {
    const length = lengthOf(op, x, axis);
    return typeof length === 'number' ? op.vector([length]) : length;
  });
  const product = rest.reduce((a, b) => op.mul(a, b), first);
  return op.cast(op.squeeze(product, [0]), x.dtype ?? 'float32');
}

/** One over a count. */
export function inverse(op: Pen, count: Operand): Operand {
  return typeof count === 'number' ? 1 / count : op.reciprocal(count);
}
