import type { GradientRule } from '../../src/contract.ts';
import { ints } from '../../src/emit/index.ts';
import { range, rankOf } from '../support/shapes.ts';
import { attributesOf, composite } from './support/composite.ts';
import { kernelShape, transposedAttributes } from './support/kernel.ts';

/** y = x ⋆ w + b. Both gradients are convolutions too; the composites decide how they are computed. */
export const Conv: GradientRule = ({ op, node, input, inputs, dy }) => {
  const [x, w] = [input(0), input(1)];
  const attributes = { ...attributesOf(node), kernel_shape: ints(kernelShape(node, w)) };
  return [
    composite(op, 'ConvInputGrad', [dy, w, x], x, attributes),
    composite(op, 'ConvWeightGrad', [x, dy, w], w, attributes),
    ...(inputs[2] ? [op.reduceSum(dy, [0, ...range(rankOf(node, x) - 2, 2)])] : []),
  ];
};

/** Sums blocks into an image. Its adjoint extracts the blocks: a Conv with one filter per position in a block. */
export const Col2Im: GradientRule = ({ op, node, input, constant, dy }) => {
  const [image, block] = [constant(1) ?? [], constant(2) ?? []];
  const places = block.reduce((product, length) => product * length, 1);
  const one = Float32Array.from({ length: places * places }, (_, i) => (i % (places + 1) === 0 ? 1 : 0));
  const filters = op.constant({ dtype: 'float32', dims: [places, 1, ...block], data: one });
  const planes = op.reshape(dy, [-1, 1, ...image]);
  const blocks = op.call('Conv', [planes, filters], {
    attributes: { ...attributesOf(node), kernel_shape: ints(block) },
  });
  return [op.reshapeLike(blocks, input(0))];
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
