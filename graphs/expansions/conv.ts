import type { Expansion } from '../../src/contract.ts';
import { ints, type Pen, type Value } from '../../src/emit/index.ts';
import { groupOf } from '../gradients/support/kernel.ts';
import { quotient, times } from '../support/arithmetic.ts';
import { lengthOf, reshapeTo } from '../support/shapes.ts';
import { inputGradient, layout, outerPads } from './support/adjoint.ts';
import { padded, taps, type WindowAxis, windowOf } from './support/window.ts';

/** dx of a Conv; inputs dy, w, x. */
export const ConvInputGrad: Expansion = ({ op, node, input }) => {
  const [dy, w, x] = [input(0), input(1), input(2)];
  const adjoint = { window: windowOf(op, node, x, dy), group: groupOf(node), channels: lengthOf(op, x, 1) };
  return [inputGradient(op, dy, w, adjoint)];
};

/** dx of a ConvTranspose, which is the Conv of dy; inputs dy, w, x. */
export const ConvTransposeInputGrad: Expansion = ({ op, node, input }) => {
  const [dy, w, x] = [input(0), input(1), input(2)];
  const window = windowOf(op, node, dy, x);
  const pads = ints([...window.map((a) => Number(a.before)), ...window.map((a) => Number(a.after))]);
  const strides = ints(window.map((a) => a.stride));
  return [op.call('Conv', [dy, w], { attributes: { ...layout({ window, group: groupOf(node) }), strides, pads } })];
};

/** dw of a Conv; inputs x, dy, w. One product per tap of the kernel, over all images at once. */
export const ConvWeightGrad: Expansion = ({ op, node, input }) => {
  const [x, dy, w] = [input(0), input(1), input(2)];
  const window = windowOf(op, node, x, dy);
  const group = groupOf(node);
  const products = { x, dy, w, window, group };
  const dims = [lengthOf(op, w, 0), lengthOf(op, w, 1), ...window.map((a) => a.kernel)];
  if (group === 1 && hasFewChannels(w) && window.some((a) => a.kernel > 1)) {
    return [reshapeTo(op, byRows(op, products), dims)];
  }
  const isDepthwise = w.shape?.[1] === 1 && w.shape[0] === group;
  const wide = window.every((a) => a.kernel === 1) && isLarge(window) ? perImage : dense;
  const product = isDepthwise ? depthwise : group === 1 ? wide : grouped;
  const parts = product(op, products).map((part) => op.unsqueeze(part, [-1]));
  const [first = dy] = parts;
  return [reshapeTo(op, parts.length === 1 ? first : op.concat(parts, -1), dims)];
};

/** The first layer of a network: products with so few columns are slow. */
function hasFewChannels({ shape }: Value): boolean {
  const channels = shape?.[1];
  return typeof channels === 'number' && channels <= 4;
}

/** Planes for which a product per image is faster than moving all images beside each other. */
function isLarge(window: readonly WindowAxis[]): boolean {
  const area = window.reduce((product, { output }) => product * (typeof output === 'number' ? output : 0), 1);
  return area >= 512;
}

interface Products {
  readonly x: Value;
  readonly dy: Value;
  readonly w: Value;
  readonly window: readonly WindowAxis[];
  readonly group: number;
}

/** Σ dy·tap over images and positions, channel by channel. */
function depthwise(op: Pen, { x, dy, window }: Products): Value[] {
  const axes = [0, ...window.map((a) => a.axis)];
  return taps(op, padded(op, x, window), window).map((tap) => op.reduceSum(op.mul(dy, tap), axes));
}

/**
 * Images beside positions: [M, N·L] times [C, N·L] transposed. Slices of part of a row are slow, so where the last axis has no stride
 * dy is shifted along it, once for each of its taps, and x only along the others.
 */
function dense(op: Pen, { x, dy, w, window }: Products): Value[] {
  const [images, signal] = [channelsFirst(op, x, window), channelsFirst(op, dy, window)];
  const shifts = shifted(op, signal, window);
  const along = shifts ? window.slice(0, -1) : window;
  const rows = (shifts ?? [signal]).map((shift) => reshapeTo(op, shift, [lengthOf(op, w, 0), -1]));
  return taps(op, padded(op, images, window, along), along).flatMap((tap) => {
    const columns = reshapeTo(op, tap, [lengthOf(op, w, 1), -1]);
    return rows.map((row) => op.gemm(row, columns, { transB: true }));
  });
}

/** dy shifted for each tap of the last axis onto the elements of x: dy[p + before − i·dilation] at p, zero outside. */
function shifted(op: Pen, dy: Value, window: readonly WindowAxis[]): Value[] | undefined {
  const last = window.at(-1);
  const pads = last && outerPads(last);
  if (!pads || last.kernel === 1) return undefined;
  const [before, after] = pads;
  const adjoint = { ...last, before, after, input: last.output, output: last.input };
  return taps(op, padded(op, dy, window, [adjoint]), [adjoint]).reverse();
}

/** Σ over images of [M, L] times [C, L] transposed. */
function perImage(op: Pen, { x, dy, w, window }: Products): Value[] {
  const rows = reshapeTo(op, dy, [0, lengthOf(op, w, 0), -1]);
  return taps(op, padded(op, x, window), window).map((tap) => {
    const columns = reshapeTo(op, tap, [0, lengthOf(op, w, 1), -1]);
    return op.reduceSum(op.matMul(rows, op.transpose(columns, [0, 2, 1])), [0]);
  });
}

/** Like `dense`, for a whole row of the kernel at once, with its taps as channels: [M, C, rows, k]. */
function byRows(op: Pen, { x, dy, w, window }: Products): Value {
  const rows = reshapeTo(op, channelsFirst(op, dy, window), [lengthOf(op, w, 0), -1]);
  const last = window.slice(-1);
  const columns = op.concat(taps(op, padded(op, channelsFirst(op, x, window), window), last), 0);
  const [channels, kernel] = [lengthOf(op, w, 1), last[0]?.kernel ?? 1];
  const stacked = times(op, channels, kernel);
  const parts = taps(op, columns, window.slice(0, -1)).map((tap) =>
    op.unsqueeze(op.gemm(rows, reshapeTo(op, tap, [stacked, -1]), { transB: true }), [1]),
  );
  const [first = dy] = parts;
  const all = parts.length === 1 ? first : op.concat(parts, 1);
  return op.transpose(reshapeTo(op, all, [lengthOf(op, w, 0), parts.length, kernel, channels]), [0, 3, 1, 2]);
}

/** As `dense`, group by group: [g, M/g, N·L] times [g, N·L, C/g]. */
function grouped(op: Pen, { x, dy, w, window, group }: Products): Value[] {
  const perGroup = quotient(op, lengthOf(op, w, 0), group);
  const rows = reshapeTo(op, channelsFirst(op, dy, window), [group, perGroup, -1]);
  return taps(op, padded(op, channelsFirst(op, x, window), window), window).map((tap) => {
    const columns = reshapeTo(op, tap, [group, lengthOf(op, w, 1), -1]);
    return op.matMul(rows, op.transpose(columns, [0, 2, 1]));
  });
}

/** [N, C, …] as [C, N, …]: a swap of whole images, which is cheap. */
function channelsFirst(op: Pen, x: Value, window: readonly WindowAxis[]): Value {
  return op.transpose(x, [1, 0, ...window.map((a) => a.axis)]);
}
