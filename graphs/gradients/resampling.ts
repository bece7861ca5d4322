import type { GradientContext, GradientRule } from '../../src/contract.ts';
import { stringAttribute } from '../../src/emit/index.ts';
import { exact } from '../support/shapes.ts';
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
