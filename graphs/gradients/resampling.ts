import type { GradientContext, GradientRule } from '../../src/contract.ts';
import { int, intAttribute, stringAttribute } from '../../src/emit/index.ts';
import { exact, rankOf } from '../support/shapes.ts';
import { gridSampleGradients } from './support/gridSample.ts';
import { transposedMaps } from './support/linearMaps.ts';
import { borderMaps, cropped } from './support/pads.ts';
import { resizeGradient } from './support/resizes.ts';

/** Constant: dy without its margins. Reflect, edge, wrap: dy summed into the elements that were repeated. */
export const Pad: GradientRule = exact((context) => {
  const isConstant = stringAttribute(context.node, 'mode', 'constant') === 'constant';
  return isConstant ? constantPad(context) : [transposedMaps(context, borderMaps(context))];
});

/** The fill's gradient is the sum of dy over the margins. */
function constantPad(context: GradientContext): ReturnType<GradientRule> {
  const { op, wants, dy } = context;
  const dx = cropped(context);
  return wants(2) ? [dx, undefined, op.sub(op.reduceSum(dy), op.reduceSum(dx))] : [dx];
}

/** dy through the transposed interpolation; a sum over copies if each element was repeated equally often. */
export const Resize: GradientRule = exact(resizeGradient);

/** dy into the elements around each position; the grid's gradient is the slope of the interpolation. */
export const GridSample: GradientRule = exact(gridSampleGradients);

/** The grid is θ(x, y, 1)ᵀ at each position: dθ = dyᵀ(x, y, 1). The positions are the grid of θ = (I 0). */
export const AffineGrid: GradientRule = exact(({ op, node, input, dy }) => {
  const [theta, count] = [input(0), rankOf(node, dy) - 2];
  const identity = Float32Array.from({ length: count * (count + 1) }, (_, i) =>
    Number(i % (count + 1) === Math.floor(i / (count + 1))),
  );
  const each = op.expand(
    op.cast(op.constant({ dtype: 'float32', dims: [1, count, count + 1], data: identity }), theta.dtype ?? 'float32'),
    op.dimsOf(theta),
  );
  const grid = op.call('AffineGrid', [each, input(1)], {
    attributes: { align_corners: int(intAttribute(node, 'align_corners', 0)) },
  });
  const places = op.reshape(grid, [0, -1, count]);
  const flow = op.transpose(op.reshape(dy, [0, -1, count]), [0, 2, 1]);
  const linear = op.matMul(flow, places);
  return [op.concat([linear, op.unsqueeze(op.reduceSum(flow, [2]), [2])], 2)];
});
