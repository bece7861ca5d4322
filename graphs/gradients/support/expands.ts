import type { GradientContext } from '../../../src/contract.ts';
import { int, type Value } from '../../../src/emit/index.ts';
import { minus } from '../../support/arithmetic.ts';
import { lengths, range, rankOf } from '../../support/shapes.ts';

/**
 * The engine sums dy down to x if it knows both shapes. If the shape of y is computed, x's own shape gives the axes, or else the graph
 * finds them at run time.
 */
export function expandGradient({ op, node, input, dy }: GradientContext): Value[] {
  const x = input(0);
  if (dy.shape && !dy.shape.includes(undefined)) return [dy];
  const rank = rankOf(node, x);
  if (dy.shape && x.shape?.every((dim) => typeof dim === 'number')) {
    const lead = dy.shape.length - rank;
    const axes = [...range(lead), ...range(rank, lead).filter((i) => x.shape?.[i - lead] === 1)];
    return [axes.length === 0 ? dy : op.reshapeLike(op.reduceSum(dy, axes, true), x)];
  }
  const shape = op.shapeOf(dy);
  const ones = op.expand(op.vector([1]), lengths(op, [minus(op, op.shapeOf(shape), rank)]));
  const differs = op.not(op.equal(shape, op.concat([ones, op.shapeOf(x)], 0)));
  const axes = op.reshape(op.call('NonZero', [op.cast(differs, 'int64')]), [-1]);
  const attributes = { keepdims: int(1), noop_with_empty_axes: int(1) };
  return [op.reshapeLike(op.call('ReduceSum', [dy, axes], { attributes }), x)];
}
