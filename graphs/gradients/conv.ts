import type { GradientRule } from '../../src/contract.ts';
import { ints } from '../../src/emit/index.ts';
import { range, rankOf } from '../support/shapes.ts';
import { attributesOf, composite } from './support/composite.ts';
import { kernelShape, transposedAttributes } from './support/kernel.ts';

/** y = x ⋆ w + b. Both gradients are convolutions in their turn; how they are computed is the composites' matter. */
export const Conv: GradientRule = ({ op, node, input, inputs, dy }) => {
  const [x, w] = [input(0), input(1)];
  const attributes = { ...attributesOf(node), kernel_shape: ints(kernelShape(node, w)) };
  return [
    composite(op, 'ConvInputGrad', [dy, w, x], x, attributes),
    composite(op, 'ConvWeightGrad', [x, dy, w], w, attributes),
    ...(inputs[2] ? [op.reduceSum(dy, [0, ...range(rankOf(node, x) - 2, 2)])] : []),
  ];
};

/** The adjoint of a Conv from y to x: dx is that Conv of dy, and dw is its weights' gradient, where x is what flows in. */
export const ConvTranspose: GradientRule = ({ op, node, input, inputs, dy }) => {
  const [x, w] = [input(0), input(1)];
  const attributes = transposedAttributes(node, x, w, dy);
  return [
    composite(op, 'ConvTransposeInputGrad', [dy, w, x], x, attributes),
    composite(op, 'ConvWeightGrad', [dy, x, w], w, attributes),
    ...(inputs[2] ? [op.reduceSum(dy, [0, ...range(rankOf(node, x) - 2, 2)])] : []),
  ];
};
