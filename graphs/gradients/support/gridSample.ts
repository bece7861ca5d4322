import type { GradientContext } from '../../../src/contract.ts';
import { intAttribute, type Pen, stringAttribute, unsupported, type Value } from '../../../src/emit/index.ts';
import { minus, times } from '../../support/arithmetic.ts';
import { type Length, lengthOf, range, rankOf, zerosOf } from '../../support/shapes.ts';

/** What P positions read along one axis, K elements each: [N, P, K]. */
interface Taps {
  readonly indices: Value;
  readonly weights: Value;
  /** The derivative of the weights in the grid's coordinate. */
  readonly slopes: Value;
}

/** Positions along an axis in elements, [N, P, 1], and their derivative in the grid's coordinate. */
interface Positions {
  readonly at: Value;
  readonly rate: Value;
}

/** One axis of the sampled image: its last index, and the elements from the grid's −1 to 1. */
interface Axis {
  readonly last: Value;
  readonly span: Value;
  /** Whether −1 and 1 are the centres of the outermost elements, not their edges. */
  readonly isAligned: boolean;
}

/** The elements that a position reads, from `first` beside it, and their weights as polynomials of the fraction: a row for each power. */
interface Kernel {
  readonly first: number;
  readonly powers: readonly (readonly number[])[];
}

/** Keys' cubic convolution with a = −0.75, as PyTorch and ONNX have it. */
const A = -0.75;

const KERNELS: Readonly<Record<string, Kernel>> = {
  nearest: { first: 0, powers: [[1], [0]] },
  linear: {
    first: 0,
    powers: [
      [1, 0],
      [-1, 1],
    ],
  },
  cubic: {
    first: -1,
    powers: [
      [0, 1, 0, 0],
      [A, 0, -A, 0],
      [-2 * A, -A - 3, 2 * A + 3, A],
      [A, A + 2, -A - 2, -A],
    ],
  },
};

/**
 * A sample is Σ w x over the elements around its position, where w is a product over the axes: dx adds dy w into these elements, and the
 * grid's gradient is Σ dy x times the derivative of w. At and beyond a repeated border that is 0, as in PyTorch.
 */
export function gridSampleGradients(context: GradientContext): (Value | undefined)[] {
  const { op, node, input, dy, wants } = context;
  const [x, grid] = [input(0), input(1)];
  const axes = range(rankOf(node, x) - 2);
  const taps = axes.map((i) => tapsOf(context, axes.length, i));
  const sizes = axes.map((i) => lengthOf(op, x, i + 2));
  const at = placesOf(op, taps, sizes);
  const dys = op.unsqueeze(op.reshape(dy, [0, 0, -1]), [3]);
  const terms = op.mul(dys, op.unsqueeze(product(op, taps), [1]));
  const updates = op.reshape(terms, [0, 0, -1]);
  const everywhere = op.expand(at, op.shapeOf(updates));
  const zeros = zerosOf(op, x.dtype, [lengthOf(op, x, 0), lengthOf(op, x, 1), volume(op, sizes)]);
  const dx = op.reshapeLike(op.scatterElements(zeros, everywhere, updates, 2, 'add'), x);
  if (!wants(1) || modeOf(context) === 'nearest') return [dx];
  const read = op.reshapeLike(op.gatherElements(op.reshape(x, [0, 0, -1]), everywhere, 2), terms);
  const flow = op.reduceSum(op.mul(read, dys), [1]);
  // The grid's first coordinate is the last axis.
  const parts = axes.map((i) => op.reduceSum(op.mul(flow, product(op, taps, i)), [2], true)).reverse();
  return [dx, op.reshapeLike(op.concat(parts, 2), grid)];
}

/** `linear` and `cubic` are called bilinear and bicubic before opset 20. */
function modeOf({ node }: GradientContext): string {
  return stringAttribute(node, 'mode', 'linear').replace(/^bi/, '');
}

function volume(op: Pen, sizes: readonly Length[]): Length {
  return sizes.reduce((a, b) => times(op, a, b), 1);
}

/** The indices of all elements that are read, in the flattened image: [N, 1, P · taps]. */
function placesOf(op: Pen, taps: readonly Taps[], sizes: readonly Length[]): Value {
  const places = taps.map(({ indices }, i) =>
    op.mul(spread(op, indices, taps.length, i), volume(op, sizes.slice(i + 1))),
  );
  return op.reshape(
    places.reduce((a, b) => op.add(a, b)),
    [0, 1, -1],
  );
}

/** The product of the axes' weights, of axis `sloped` their derivative: [N, P, taps]. */
function product(op: Pen, taps: readonly Taps[], sloped?: number): Value {
  const factors = taps.map(({ weights, slopes }, i) => spread(op, i === sloped ? slopes : weights, taps.length, i));
  return op.reshape(
    factors.reduce((a, b) => op.mul(a, b)),
    [0, 0, -1],
  );
}

/** [N, P, K] with K as axis i of `count`. */
function spread(op: Pen, x: Value, count: number, i: number): Value {
  return count === 1
    ? x
    : op.unsqueeze(
        x,
        range(count, 2).filter((axis) => axis !== i + 2),
      );
}

function tapsOf(context: GradientContext, count: number, i: number): Taps {
  const { op, node } = context;
  const mode = modeOf(context);
  const kernel = KERNELS[mode];
  if (!kernel) throw unsupported(node, `one of the modes ${Object.keys(KERNELS).join(', ')}`, mode);
  const padding = stringAttribute(node, 'padding_mode', 'zeros');
  const axis = axisOf(context, i);
  const given = positionsOf(context, axis, count - 1 - i);
  // A cubic kernel reads across the border; the others move the position itself.
  const { at, rate } = mode === 'cubic' ? given : moved(op, given, axis, padding);
  const whole = mode === 'nearest' ? op.call('Round', [at], { shape: at.shape }) : op.floor(at);
  const fraction = op.sub(at, whole);
  const places = op.add(whole, row(op, at, range(kernel.powers[0]?.length ?? 0, kernel.first)));
  const reflected = padding === 'reflection' ? reflect(op, places, axis).at : places;
  const inside = clipped(op, reflected, axis);
  const mask = padding === 'zeros' ? op.cast(op.equal(places, inside), at.dtype ?? 'float32') : 1;
  return {
    indices: op.cast(inside, 'int64'),
    weights: op.mul(polynomial(op, kernel.powers, fraction), mask),
    slopes: op.mul(op.mul(polynomial(op, derivative(kernel), fraction), rate), mask),
  };
}

function axisOf({ op, node, input }: GradientContext, i: number): Axis {
  const dtype = input(1).dtype ?? 'float32';
  const size = lengthOf(op, input(0), i + 2);
  const real = (length: Length): Value =>
    typeof length === 'number' ? op.scalar(length, dtype) : op.cast(length, dtype);
  const isAligned = intAttribute(node, 'align_corners', 0) !== 0;
  const last = real(minus(op, size, 1));
  return { last, span: isAligned ? last : real(size), isAligned };
}

/** The grid's coordinate in elements, in the order of PyTorch's operations. */
function positionsOf({ op, node, input }: GradientContext, axis: Axis, coordinate: number): Positions {
  const grid = input(1);
  const rows = op.reshape(grid, [0, -1, rankOf(node, grid) - 2]);
  const fromOne = op.add(op.gather(rows, op.vector([coordinate]), 2), 1);
  const { span, isAligned } = axis;
  const at = isAligned ? op.mul(op.div(fromOne, 2), span) : op.div(op.sub(op.mul(fromOne, span), 1), 2);
  return { at, rate: op.div(span, 2) };
}

/** Positions beyond the borders at or within them. */
function moved(op: Pen, given: Positions, axis: Axis, padding: string): Positions {
  if (padding === 'zeros') return given;
  const { at, rate } = padding === 'reflection' ? reflect(op, given.at, axis) : { at: given.at, rate: 1 };
  // At the last element both taps of a linear kernel are that element.
  const isWithin = op.cast(op.greater(at, 0), at.dtype ?? 'float32');
  return { at: clipped(op, at, axis), rate: op.mul(op.mul(isWithin, rate), given.rate) };
}

/** Mirrored at both borders until it is between them: a triangle wave. */
function reflect(op: Pen, at: Value, { span, isAligned }: Axis): Positions {
  const from = isAligned ? at : op.add(at, 0.5);
  const distance = op.abs(from);
  const period = op.max(op.mul(span, 2), 1);
  const phase = op.sub(op.sub(distance, op.mul(op.floor(op.div(distance, period)), period)), span);
  const mirrored = op.sub(span, op.abs(phase));
  return { at: isAligned ? mirrored : op.sub(mirrored, 0.5), rate: op.neg(op.mul(op.sign(from), op.sign(phase))) };
}

function clipped(op: Pen, at: Value, { last }: Axis): Value {
  return op.max(op.min(at, last), 0);
}

/** Σ cₖ tᵏ for each element of the kernel, by Horner's rule. */
function polynomial(op: Pen, powers: Kernel['powers'], t: Value): Value {
  const [first, ...rest] = powers.map((values) => row(op, t, values)).reverse();
  if (!first) throw new Error('a kernel without powers');
  return rest.reduce((sum, values) => op.add(op.mul(sum, t), values), first);
}

function derivative({ powers }: Kernel): Kernel['powers'] {
  return powers.slice(1).map((values, i) => values.map((value) => value * (i + 1)));
}

/** One number per element of the kernel, of the type of `like`. */
function row(op: Pen, { dtype = 'float32' }: Value, values: readonly number[]): Value {
  const made = op.constant({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
  return dtype === 'float32' ? made : op.cast(made, dtype);
}
