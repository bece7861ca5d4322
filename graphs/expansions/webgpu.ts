import type { Expansion } from '../../src/contract.ts';
import { type Pen, stringAttribute, type Value } from '../../src/emit/index.ts';
import { attributesOf } from '../gradients/support/composite.ts';
import { times } from '../support/arithmetic.ts';
import { range, reshapeTo } from '../support/shapes.ts';
import { inputGradient } from './support/adjoint.ts';
import { padded, taps, unread, type WindowAxis, windowOf } from './support/window.ts';

/** float32's lowest number: no maximum equals it, unless a window contains nothing else. */
const LOWEST = -3.4028234663852886e38;

/**
 * dx of a MaxPool, of inputs x and dy, without the places of the maxima, which WebGPU's kernel does not give. Tap by tap, an element that
 * equals its window's maximum takes what is left of that window's dy, so the first maximum gets all of it, as in PyTorch.
 */
export const MaxPoolGrad: Expansion = ({ op, node, input }) => {
  const [x, dy] = [input(0), input(1)];
  const { storage_order: _, ...attributes } = attributesOf(node);
  const window = windowOf(op, node, x, dy);
  const maxima = op.call('MaxPool', [x], { attributes, shape: dy.shape });
  let left = dy;
  const shares = taps(op, padded(op, x, window, window, LOWEST), window).map((tap) => {
    const isMaximum = op.equal(tap, maxima);
    const share = op.where(isMaximum, left, 0);
    left = op.where(isMaximum, 0, left);
    share.shape = dy.shape;
    left.shape = dy.shape;
    return share;
  });
  return [window.every((a) => isTile(op, a)) ? interleaved(op, shares, x, window) : scattered(op, shares, x, window)];
};

/** Adjacent windows, which may leave a known rest. */
function isTile(op: Pen, a: WindowAxis): boolean {
  const rest = unread(op, a);
  return a.kernel === a.stride && a.dilation === 1 && a.before === 0 && typeof rest === 'number' && rest >= 0;
}

/** The results of the taps, interleaved again. */
function interleaved(op: Pen, shares: readonly Value[], x: Value, window: readonly WindowAxis[]): Value {
  let parts = shares;
  const spread = window.map((a) => a.output);
  for (let i = window.length - 1; i >= 0; i--) {
    const { kernel = 1, output = 1 } = window[i] ?? {};
    spread[i] = times(op, output, kernel);
    parts = range(parts.length / kernel).map((group) => {
      const own = parts.slice(group * kernel, (group + 1) * kernel).map((part) => op.unsqueeze(part, [i + 3]));
      return reshapeTo(op, op.concat(own, i + 3), [0, 0, ...spread]);
    });
  }
  const [whole = x] = parts;
  const rests = window.map((a) => Number(unread(op, a)));
  if (rests.every((rest) => rest === 0)) return whole;
  return op.call('Pad', [whole, op.vector([0, 0, ...rests.map(() => 0), 0, 0, ...rests])], { shape: x.shape });
}

/** Summed where windows overlap: the adjoint of a convolution whose filters read one tap each. */
function scattered(op: Pen, shares: readonly Value[], x: Value, window: readonly WindowAxis[]): Value {
  const images = shares.map((share) => reshapeTo(op, share, [-1, 1, ...window.map((a) => a.output)]));
  const count = shares.length;
  const data = Float32Array.from({ length: count * count }, (_, i) => Number(i % (count + 1) === 0));
  const dims = [count, 1, ...window.map((a) => a.kernel)];
  const filters = op.cast(op.constant({ dtype: 'float32', dims, data }), x.dtype ?? 'float32');
  return op.reshapeLike(inputGradient(op, op.concat(images, 1), filters, { window, group: 1, channels: 1 }), x);
}

/**
 * 1 − βᵗ of a float32 scalar t, as −(e^y − 1) with y = t ln β: WebGPU has no float64. Near 0 by the series of expm1, since 1 − e^y would
 * lose digits there.
 */
export const OneMinusPower: Expansion = ({ op, node, input }) => {
  const y = op.mul(input(0), -Math.log(Number(stringAttribute(node, 'base', '0'))));
  const series = range(4).reduce(
    (inner, i) => op.sub(1, op.mul(op.mul(y, 1 / (5 - i)), inner)),
    op.scalar(1, 'float32'),
  );
  return [op.where(op.less(y, 0.12), op.mul(y, series), op.sub(1, op.exp(op.neg(y))))];
};
