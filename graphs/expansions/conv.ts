import type { Expansion } from '../../src/contract.ts';
import { type Emitter, ints, type Value } from '../../src/emit/index.ts';
import { groupOf } from '../gradients/support/kernel.ts';
import { lengthOf, reshapeTo } from '../gradients/support/shapes.ts';
import { inputGradient, layout } from './support/adjoint.ts';
import { quotient } from './support/arithmetic.ts';
import { padded, taps, type WindowAxis, windowOf } from './support/window.ts';

/** dx of a Conv, of inputs dy, w, x. */
export const ConvInputGrad: Expansion = ({ op, node, input }) => {
  const [dy, w, x] = [input(0), input(1), input(2)];
  const adjoint = { window: windowOf(op, node, x, dy), group: groupOf(node), channels: lengthOf(op, x, 1) };
  return [inputGradient(op, dy, w, adjoint)];
};

/** dx of a ConvTranspose, of inputs dy, w, x: the Conv of dy. */
export const ConvTransposeInputGrad: Expansion = ({ op, node, input }) => {
  const [dy, w, x] = [input(0), input(1), input(2)];
  const window = windowOf(op, node, dy, x);
  const pads = ints([...window.map((a) => Number(a.before)), ...window.map((a) => Number(a.after))]);
  const strides = ints(window.map((a) => a.stride));
  return [op.call('Conv', [dy, w], { attributes: { ...layout({ window, group: groupOf(node) }), strides, pads } })];
};

/** dw of a Conv, of inputs x, dy, w: one product per tap of the kernel, over all images at once. */
export const ConvWeightGrad: Expansion = ({ op, node, input }) => {
  const [x, dy, w] = [input(0), input(1), input(2)];
  const window = windowOf(op, node, x, dy);
  const group = groupOf(node);
  const isDepthwise = w.shape?.[1] === 1 && w.shape[0] === group;
  const product = isDepthwise ? depthwise : group === 1 ? dense : grouped;
  const parts = product(op, { x, dy, w, window, group });
  const kernel = window.map((a) => a.kernel);
  const stacked =
    parts.length === 1
      ? parts
      : [
          op.concat(
            parts.map((part) => op.unsqueeze(part, [-1])),
            -1,
          ),
        ];
  return stacked.map((all) => reshapeTo(op, all, [lengthOf(op, w, 0), lengthOf(op, w, 1), ...kernel]));
};

interface Products {
  readonly x: Value;
  readonly dy: Value;
  readonly w: Value;
  readonly window: readonly WindowAxis[];
  readonly group: number;
}

/** Σ dy·tap over images and positions, channel by channel. */
function depthwise(op: Emitter, { x, dy, window }: Products): Value[] {
  const axes = [0, ...window.map((a) => a.axis)];
  return taps(op, padded(op, x, window), window).map((tap) => op.reduceSum(op.mul(dy, tap), axes));
}

/** Images beside positions: [M, N·L] times [C, N·L] transposed. */
function dense(op: Emitter, { x, dy, w, window }: Products): Value[] {
  const rows = reshapeTo(op, channelsFirst(op, dy, window), [lengthOf(op, w, 0), -1]);
  const channels = lengthOf(op, w, 1);
  return taps(op, padded(op, channelsFirst(op, x, window), window), window).map((tap) =>
    op.gemm(rows, reshapeTo(op, tap, [channels, -1]), { transB: true }),
  );
}

/** The same group by group: [g, M/g, N·L] times [g, N·L, C/g]. */
function grouped(op: Emitter, { x, dy, w, window, group }: Products): Value[] {
  const perGroup = quotient(op, lengthOf(op, w, 0), group);
  const rows = reshapeTo(op, channelsFirst(op, dy, window), [group, perGroup, -1]);
  return taps(op, padded(op, channelsFirst(op, x, window), window), window).map((tap) => {
    const columns = reshapeTo(op, tap, [group, lengthOf(op, w, 1), -1]);
    return op.matMul(rows, op.transpose(columns, [0, 2, 1]));
  });
}

/** [N, C, …] as [C, N, …]: a swap of whole images, which is cheap. */
function channelsFirst(op: Emitter, x: Value, window: readonly WindowAxis[]): Value {
  return op.transpose(x, [1, 0, ...window.map((a) => a.axis)]);
}
