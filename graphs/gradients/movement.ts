import { type GradientRule, unary } from '../../src/contract.ts';
import { int, intAttribute, intsAttribute, stringAttribute, unsupported } from '../../src/emit/index.ts';
import { axisOf, elementOf, exact, lengthOf, lengths, range, rankOf, reshapeTo } from '../support/shapes.ts';
import { expandGradient } from './support/expands.ts';
import { sliceGradient } from './support/slices.ts';

export const Reshape: GradientRule = unary(({ op, x, dy }) => op.reshapeLike(dy, x));
export const Flatten: GradientRule = Reshape;
export const Squeeze: GradientRule = Reshape;
export const Unsqueeze: GradientRule = Reshape;

/** The inverse permutation. By default the axes are reversed, which is its own inverse. */
export const Transpose: GradientRule = exact(
  unary(({ op, node, dy }) => {
    const perm = intsAttribute(node, 'perm');
    return perm
      ? op.transpose(
          dy,
          perm.map((_, i) => perm.indexOf(i)),
        )
      : op.call('Transpose', [dy]);
  }),
);

/** dy split into the joined pieces. */
export const Concat: GradientRule = ({ op, node, input, dy }) => {
  const pieces = node.inputs.map((_, i) => input(i));
  if (pieces.length === 1) return [dy];
  const axis = axisOf(node, input(0), intAttribute(node, 'axis', 0));
  const sizes = lengths(
    op,
    pieces.map((piece) => lengthOf(op, piece, axis)),
  );
  return op.callAll('Split', [dy, sizes], pieces, { attributes: { axis: int(axis) } });
};

/** The joined gradients of the pieces, with zeros for a piece without one. */
export const Split: GradientRule = exact(({ op, node, outputs, dyOf }) => {
  const absent = outputs.indexOf(undefined);
  if (absent >= 0) throw unsupported(node, 'all outputs of Split named', `none for output ${absent}`);
  return [
    op.concat(
      outputs.map((_, i) => dyOf(i)),
      intAttribute(node, 'axis', 0),
    ),
  ];
});

/** dy surrounded by zeros. */
export const Slice: GradientRule = exact(sliceGradient);

/** dy summed over the copies. */
export const Expand: GradientRule = expandGradient;

/** y of shape [r₀d₀, r₁d₁, …] is r copies of d elements along each axis: dy is summed over the copies. */
export const Tile: GradientRule = exact(({ op, node, input, known, dy }) => {
  const x = input(0);
  const repeats = known(1);
  const copies = range(rankOf(node, x)).map((i) => repeats?.[i] ?? elementOf(op, input(1), i));
  const parts = copies.map((count, i) => (count === 1 ? [lengthOf(op, x, i)] : [count, lengthOf(op, x, i)]));
  const axes = parts.flatMap((part, i) => (part.length === 2 ? [parts.slice(0, i).flat().length] : []));
  return [axes.length === 0 ? dy : op.reduceSum(reshapeTo(op, dy, parts.flat()), axes)];
});

/** Σ over all later elements instead of all earlier ones, or vice versa. */
export const CumSum: GradientRule = exact(({ op, node, input, dy }) => {
  const exclusive = int(intAttribute(node, 'exclusive', 0));
  const reverse = int(1 - intAttribute(node, 'reverse', 0));
  return [op.call('CumSum', [dy, input(1)], { attributes: { exclusive, reverse } })];
});

/** The same triangle of dy. */
export const Trilu: GradientRule = exact(({ op, node, inputs, dy }) => {
  const upper = int(intAttribute(node, 'upper', 1));
  return [op.call('Trilu', [dy, inputs[1]], { attributes: { upper } })];
});

/** The same rows reversed again. */
export const ReverseSequence: GradientRule = exact(({ op, node, input, dy }) => {
  const attributes = {
    batch_axis: int(intAttribute(node, 'batch_axis', 1)),
    time_axis: int(intAttribute(node, 'time_axis', 0)),
  };
  return [op.call('ReverseSequence', [dy, input(1)], { attributes })];
});

export const SpaceToDepth: GradientRule = unary(({ op, node, x, dy }) =>
  op.call('DepthToSpace', [dy], { attributes: { blocksize: int(intAttribute(node, 'blocksize', 1)) }, shape: x.shape }),
);

/** SpaceToDepth orders channels as (block, channel), which is mode DCR; CRD has (channel, block). */
export const DepthToSpace: GradientRule = unary(({ op, node, x, y, dy }) => {
  const blocksize = intAttribute(node, 'blocksize', 1);
  const dx = op.call('SpaceToDepth', [dy], { attributes: { blocksize: int(blocksize) }, shape: x.shape });
  if (stringAttribute(node, 'mode', 'DCR') === 'DCR') return dx;
  const blocks = reshapeTo(op, dx, [0, blocksize ** 2, lengthOf(op, y, 1), -1]);
  return op.reshapeLike(op.transpose(blocks, [0, 2, 1, 3]), x);
});
