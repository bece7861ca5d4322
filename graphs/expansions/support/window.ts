import {
  intAttribute,
  intsAttribute,
  type Node,
  type Pen,
  stringAttribute,
  unsupported,
  type Value,
} from '../../../src/emit/index.ts';
import { larger, minus, plus, quotient, times } from '../../support/arithmetic.ts';
import { type Length, lengthOf, lengths, range } from '../../support/shapes.ts';

/** How a window slides along one axis of x: output o reads x at o·stride − before + i·dilation, i = 0…kernel−1. */
export interface WindowAxis {
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** From the first to the last element that a window reads: (kernel − 1)·dilation + 1. */
  readonly span: number;
  readonly before: Length;
  /** Padding at the end, including what ceil_mode adds for the last window. */
  readonly after: Length;
  /** The same without that. */
  readonly stated: Length;
  readonly input: Length;
  readonly output: Length;
}

/** The windows of a convolution or pooling by its attributes; `y` has the output's spatial lengths. */
export function windowOf(op: Pen, node: Node, x: Value, y: Value): WindowAxis[] {
  const kernel = intsAttribute(node, 'kernel_shape');
  if (!kernel) throw unsupported(node, 'the attribute kernel_shape', 'none');
  const rank = kernel.length;
  const strides = intsAttribute(node, 'strides') ?? range(rank).map(() => 1);
  const dilations = intsAttribute(node, 'dilations') ?? range(rank).map(() => 1);
  return kernel.map((size, i) => {
    const [stride = 1, dilation = 1] = [strides[i], dilations[i]];
    const axis = i + 2;
    const span = (size - 1) * dilation + 1;
    const lengthsAlong = { input: lengthOf(op, x, axis), output: lengthOf(op, y, axis) };
    const part = { axis, kernel: size, stride, dilation, span, ...lengthsAlong };
    return { ...part, ...padding(op, node, part, i, rank) };
  });
}

type Padding = Pick<WindowAxis, 'before' | 'after' | 'stated'>;
type Unpadded = Omit<WindowAxis, keyof Padding>;

function padding(op: Pen, node: Node, axis: Unpadded, i: number, rank: number): Padding {
  const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
    const total = axis.stride === 1 ? axis.span - 1 : larger(op, excess(op, axis), 0);
    const half = quotient(op, total, 2);
    const rest = minus(op, total, half);
    const [before, after] = mode === 'SAME_UPPER' ? [half, rest] : [rest, half];
    return { before, after, stated: after };
  }
  const pads = (mode === 'NOTSET' ? intsAttribute(node, 'pads') : undefined) ?? [];
  const [before = 0, stated = 0] = [pads[i], pads[i + rank]];
  if (intAttribute(node, 'ceil_mode', 0) === 0) return { before, after: stated, stated };
  return { before, stated, after: larger(op, minus(op, excess(op, axis), before), stated) };
}

/** How far the windows reach beyond the input at both ends together; negative if they leave a rest unread. */
function excess(op: Pen, { output, stride, span, input }: Unpadded): Length {
  const reach = plus(op, times(op, plus(op, output, -1), stride), span);
  return minus(op, reach, input);
}

/** How much of the input, including padding in front, lies behind the last window; negative: how far it reaches beyond. */
export function unread(op: Pen, axis: WindowAxis): Length {
  return minus(op, axis.before, excess(op, axis));
}

/** x with explicit padding along the axes of `along`, so that no window reads outside. Default: zeros. */
export function padded(
  op: Pen,
  x: Value,
  window: readonly WindowAxis[],
  along: readonly WindowAxis[] = window,
  value?: number,
): Value {
  if (along.every(({ before, after }) => before === 0 && after === 0)) return x;
  const padding = window.map(({ axis }) => along.find((a) => a.axis === axis));
  const pads = [0, 0, ...padding.map((a) => a?.before ?? 0), 0, 0, ...padding.map((a) => a?.after ?? 0)];
  return op.call('Pad', [
    x,
    lengths(op, pads),
    ...(value === undefined ? [] : [op.scalar(value, x.dtype ?? 'float32')]),
  ]);
}

/**
 * The part of padded x that each tap of the kernel reads, in the order of the kernel's elements. Slices with a step along the last axis
 * are slow, so these are made once for all rows.
 */
export function taps(op: Pen, x: Value, window: readonly WindowAxis[]): Value[] {
  if (window.every(readsAll)) return [x];
  const last = window.at(-1);
  if (last && last.stride > 1 && window.length > 1) {
    const columns = taps(op, x, [last]).map((column) => taps(op, column, window.slice(0, -1)));
    return (columns[0] ?? []).flatMap((_, row) => columns.flatMap((column) => column[row] ?? []));
  }
  return tapOffsets(window).map((offset) => tap(op, x, window, offset));
}

function tap(op: Pen, x: Value, window: readonly WindowAxis[], offset: readonly number[]): Value {
  const last = window.map((a, i) => plus(op, times(op, plus(op, a.output, -1), a.stride), (offset[i] ?? 0) + 1));
  const axes = op.vector(window.map((a) => a.axis));
  const steps = window.some((a) => a.stride !== 1) ? [op.vector(window.map((a) => a.stride))] : [];
  return op.call('Slice', [x, op.vector(offset), lengths(op, last), axes, ...steps]);
}

function readsAll({ kernel, stride, input, output, before, after }: WindowAxis): boolean {
  if (kernel !== 1 || stride !== 1) return false;
  return [input, output, before, after].some((length) => typeof length !== 'number') || input === output;
}

/** The positions of the kernel's elements in a window, the last axis fastest. */
function tapOffsets(window: readonly WindowAxis[]): number[][] {
  return window.reduce<number[][]>(
    (offsets, { kernel, dilation }) => offsets.flatMap((offset) => range(kernel).map((i) => [...offset, i * dilation])),
    [[]],
  );
}
