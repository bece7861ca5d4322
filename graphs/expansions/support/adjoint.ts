import { int, ints, type Pen, type Value } from '../../../src/emit/index.ts';
import { plus } from '../../support/arithmetic.ts';
import { type Length, lengthOf, lengths, range, reshapeTo } from '../../support/shapes.ts';
import { unread, type WindowAxis } from './window.ts';

/** The parts of a convolution's input gradient. */
export interface Adjoint {
  readonly window: readonly WindowAxis[];
  readonly group: number;
  /** Channels of dx. */
  readonly channels: Length;
}

/** dx of a convolution of x with w: a Conv with the flipped kernel if the stride is 1, otherwise a ConvTranspose. */
export function inputGradient(op: Pen, dy: Value, w: Value, adjoint: Adjoint): Value {
  const outer = adjoint.window.map(outerPads);
  if (!outer.every((pads) => pads !== undefined)) return strided(op, dy, w, adjoint);
  const pads = ints([...outer.map(([before]) => before), ...outer.map(([, after]) => after)]);
  return op.call('Conv', [dy, flipped(op, w, adjoint)], { attributes: { ...layout(adjoint), pads } });
}

/** Padding with which a Conv of dy with the flipped kernel gives dx; `undefined` if there is none. */
export function outerPads({ stride, span, before, after }: WindowAxis): [number, number] | undefined {
  if (stride !== 1 || typeof before !== 'number' || typeof after !== 'number') return undefined;
  const [first, last] = [span - 1 - before, span - 1 - after];
  return first < 0 || last < 0 ? undefined : [first, last];
}

/** Attributes that a Conv and its adjoint share. */
export function layout({ window, group }: Omit<Adjoint, 'channels'>): Record<string, ReturnType<typeof int>> {
  return {
    kernel_shape: ints(window.map((a) => a.kernel)),
    dilations: ints(window.map((a) => a.dilation)),
    group: int(group),
  };
}

/** w [M, C/g, k…] as [C, M/g, k…], flipped in space. */
function flipped(op: Pen, w: Value, { window, group, channels }: Adjoint): Value {
  const turned = turnedRound(op, w, window);
  const spatial = range(window.length, 2);
  if (group === 1) return op.transpose(turned, [1, 0, ...spatial]);
  if (w.shape?.[0] === group && w.shape[1] === 1) return turned;
  const kernel = window.map((a) => a.kernel);
  const grouped = reshapeTo(op, turned, [group, -1, lengthOf(op, w, 1), ...kernel]);
  const swapped = op.transpose(grouped, [0, 2, 1, ...spatial.map((axis) => axis + 1)]);
  return reshapeTo(op, swapped, [channels, -1, ...kernel]);
}

function turnedRound(op: Pen, w: Value, window: readonly WindowAxis[]): Value {
  const wide = window.filter((a) => a.kernel > 1);
  if (wide.length === 0) return w;
  const back = wide.map(() => -1);
  return op.slice(w, {
    axes: wide.map((a) => a.axis),
    starts: back,
    ends: wide.map((a) => -a.kernel - 1),
    steps: back,
  });
}

/** A ConvTranspose whose padding leaves exactly x if possible; otherwise one that covers x with its padding, cropped to x. */
function strided(op: Pen, dy: Value, w: Value, adjoint: Adjoint): Value {
  const { window } = adjoint;
  const strides = ints(window.map((a) => a.stride));
  const call = (pads: number[], outputPadding: number[]) => {
    const padding = { pads: ints([...pads, ...pads]), output_padding: ints(outputPadding) };
    return op.call('ConvTranspose', [dy, w], { attributes: { ...layout(adjoint), strides, ...padding } });
  };
  const fits = window.map((a) => exactPads(op, a));
  if (fits.every((fit) => fit !== undefined)) {
    return call(
      fits.map(({ pad }) => pad),
      fits.map(({ beyond }) => beyond),
    );
  }
  const full = call(
    window.map(() => 0),
    window.map((a) => a.stride - 1),
  );
  return cut(op, full, window);
}

/**
 * Padding, equal at both ends, and output_padding with which a ConvTranspose along this axis gives exactly the input's length. CUDA
 * leaves a ConvTranspose with unequal padding to the CPU.
 */
function exactPads(op: Pen, a: WindowAxis): { pad: number; beyond: number } | undefined {
  const rest = unread(op, a);
  if (typeof rest !== 'number' || typeof a.before !== 'number') return undefined;
  const beyond = a.before + rest;
  return beyond < 0 || beyond >= Math.max(a.stride, a.dilation) ? undefined : { pad: a.before, beyond };
}

/** The part of a padded result that belongs to x. */
function cut(op: Pen, full: Value, window: readonly WindowAxis[]): Value {
  const starts = window.map((a) => a.before);
  const ends = window.map((a) => plus(op, a.before, a.input));
  const axes = op.vector(window.map((a) => a.axis));
  return op.call('Slice', [full, lengths(op, starts), lengths(op, ends), axes]);
}
