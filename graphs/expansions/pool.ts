import type { Expansion } from '../../src/contract.ts';
import { intAttribute, type Node, type Pen, type Value } from '../../src/emit/index.ts';
import { attributesOf } from '../gradients/support/composite.ts';
import { minus, plus } from '../support/arithmetic.ts';
import { lengths, range, reshapeTo } from '../support/shapes.ts';
import { inputGradient } from './support/adjoint.ts';
import { unread, type WindowAxis, windowOf } from './support/window.ts';

/** dx of a MaxPool; inputs x, dy and, if known, the indices of the maxima in x as one vector: dy is added at these. */
export const MaxPoolGrad: Expansion = ({ op, node, input }) => {
  const [x, dy] = [input(0), input(1)];
  const places = node.inputs[2] ?? maxima(op, node, x);
  const zeros = op.zerosLike(op.reshape(x, [-1]));
  const sums = op.scatterElements(zeros, op.reshape(places, [-1]), op.reshape(dy, [-1]), 0, 'add');
  return [op.reshapeLike(sums, x)];
};

function maxima(op: Pen, node: Node, x: Value): Value {
  const [, places = x] = op.callAll('MaxPool', [x], [{ dtype: x.dtype }, { dtype: 'int64' }], {
    attributes: attributesOf(node),
  });
  return places;
}

/** For each element of x the sum of dy over its windows; inputs dy, x. */
export const SumPoolGrad: Expansion = ({ op, node, input }) => {
  const [dy, x] = [input(0), input(1)];
  return [spread(op, dy, x, windowOf(op, node, x, dy))];
};

/** The same for dy divided by the number of elements in a window's average; inputs dy, x. */
export const AveragePoolGrad: Expansion = ({ op, node, input }) => {
  const [dy, x] = [input(0), input(1)];
  const window = windowOf(op, node, x, dy);
  const hasPadding = window.some(({ before, after }) => before !== 0 || after !== 0);
  const countsPadding = intAttribute(node, 'count_include_pad', 0) === 1;
  const isUneven = hasPadding && (!countsPadding || intAttribute(node, 'ceil_mode', 0) === 1);
  const area = window.reduce((product, { kernel }) => product * kernel, 1);
  const share = isUneven ? op.div(dy, counts(op, window, countsPadding, dy)) : op.mul(dy, 1 / area);
  return [spread(op, share, x, window)];
};

/** Adjacent windows repeat dy; others add up in the adjoint of a convolution with ones, channel by channel. */
function spread(op: Pen, dy: Value, x: Value, window: readonly WindowAxis[]): Value {
  if (window.every((a) => tiles(op, a))) return op.reshapeLike(repeated(op, dy, window), x);
  const images = reshapeTo(op, dy, [-1, 1, ...window.map((a) => a.output)]);
  const ones = op.expand(op.scalar(1, dy.dtype ?? 'float32'), op.vector([1, 1, ...window.map((a) => a.kernel)]));
  return op.reshapeLike(inputGradient(op, images, ones, { window, group: 1, channels: 1 }), x);
}

function tiles(op: Pen, a: WindowAxis): boolean {
  return a.kernel === a.stride && a.dilation === 1 && a.before === 0 && unread(op, a) === 0;
}

/** dy [N, C, o…] as [N, C, o, k, …]. */
function repeated(op: Pen, dy: Value, window: readonly WindowAxis[]): Value {
  const apart = reshapeTo(op, dy, [-1, ...window.flatMap((a) => [a.output, 1])]);
  const repeats = [1, ...window.flatMap((a) => [1, a.kernel])];
  return op.expand(apart, op.vector(repeats));
}

/** How many elements each window averages, [o…]: along each axis the taps that lie in x, or in its declared padding. */
function counts(op: Pen, window: readonly WindowAxis[], countsPadding: boolean, dy: Value): Value {
  const vectors = window.map((a, i) => {
    const first = countsPadding ? minus(op, 0, a.before) : 0;
    const end = countsPadding ? plus(op, a.input, a.stated) : a.input;
    const index = op.call('Range', [scalar(op, 0), scalar(op, a.output), scalar(op, 1)], { dtype: 'int64' });
    const start = op.sub(op.mul(op.unsqueeze(index, [1]), a.stride), lengths(op, [a.before]));
    const position = op.add(start, op.vector(range(a.kernel).map((tap) => tap * a.dilation)));
    const isInside = op.and(op.not(op.less(position, lengths(op, [first]))), op.less(position, lengths(op, [end])));
    const count = op.reduceSum(op.cast(isInside, dy.dtype ?? 'float32'), [1]);
    const behind = range(window.length - 1 - i, 1);
    return behind.length === 0 ? count : op.unsqueeze(count, behind);
  });
  const [first = op.scalar(1, dy.dtype ?? 'float32'), ...rest] = vectors;
  return rest.reduce((product, vector) => op.mul(product, vector), first);
}

function scalar(op: Pen, length: WindowAxis['output']): Value {
  return typeof length === 'number' ? op.scalar(length, 'int64') : op.squeeze(length, [0]);
}
