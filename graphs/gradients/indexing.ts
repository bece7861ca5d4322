import type { GradientRule } from '../../src/contract.ts';
import { intAttribute, stringAttribute, unsupported } from '../../src/emit/index.ts';
import { axisOf, exact, outputOf, rankOf } from '../support/shapes.ts';
import { gatherGradient } from './support/gathers.ts';
import { gatherNDGradient } from './support/gathersND.ts';
import { placedAtRunTime } from './support/places.ts';

/** dy summed into the rows that were read. */
export const Gather: GradientRule = exact(gatherGradient);

export const GatherElements: GradientRule = ({ op, node, input, dy }) => [
  op.scatterElements(op.zerosLike(input(0)), input(1), dy, intAttribute(node, 'axis', 0), 'add'),
];

export const GatherND: GradientRule = gatherNDGradient;

/** Overwritten elements have no gradient; with additions all have one. */
export const ScatterElements: GradientRule = exact(({ op, node, input, dy }) => {
  const axis = intAttribute(node, 'axis', 0);
  const updates = op.gatherElements(dy, input(1), axis);
  if (isSum(node)) return [dy, undefined, updates];
  return [op.scatterElements(dy, input(1), op.zerosLike(input(2)), axis), undefined, updates];
});

export const ScatterND: GradientRule = exact(({ op, node, input, dy }) => {
  const updates = op.call('GatherND', [dy, input(1)]);
  if (isSum(node)) return [dy, undefined, updates];
  return [op.call('ScatterND', [dy, input(1), op.zerosLike(input(2))]), undefined, updates];
});

/** The gradients of the inserted values, at their positions. */
export const TopK: GradientRule = (context) => {
  const { op, node, input, dyOf } = context;
  return [op.scatterElements(op.zerosLike(input(0)), outputOf(context, 1), dyOf(0), intAttribute(node, 'axis', -1))];
};

/** The rows of dy at the places that were kept; without an axis, its elements. */
export const Compress: GradientRule = exact(({ op, node, input, dy }) => {
  const x = input(0);
  const kept = op.reshape(op.call('NonZero', [input(1)], { dtype: 'int64', shape: [1, undefined] }), [-1]);
  if (!node.attributes.has('axis')) {
    const size = op.reduceProd(op.shapeOf(x), [0], true);
    return [op.reshapeLike(placedAtRunTime(op, dy, 1, 0, kept, size), x)];
  }
  const axis = axisOf(node, x, intAttribute(node, 'axis', 0));
  const length = op.gather(op.shapeOf(x), op.vector([axis]));
  return [placedAtRunTime(op, dy, rankOf(node, x), axis, kept, length)];
});

function isSum(node: Parameters<GradientRule>[0]['node']): boolean {
  const reduction = stringAttribute(node, 'reduction', 'none');
  if (reduction === 'none' || reduction === 'add') return reduction === 'add';
  throw unsupported(node, 'the reduction none or add', reduction);
}
