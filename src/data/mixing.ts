import { fromNumbers, toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import { rowWidth } from '../tensorRows.ts';
import { random } from './random.ts';

/** How samples of a batch are mixed with one another. */
export interface Mixing {
  /** α of mixup: the share of a sample in what is mixed is drawn from Beta(α, α). */
  readonly mixup?: number;
  /** α of CutMix: so the area is drawn that a sample keeps. */
  readonly cutmix?: number;
}

/** What happens to one batch: all samples are mixed in the same way, each with the one before it, and the first with the last. */
export type Mix =
  | { readonly kind: 'mixup'; readonly share: number }
  | { readonly kind: 'cutmix'; readonly share: number; readonly box: Box };

/** A part of all images: rows `top` to below `bottom`, columns `left` to below `right`. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Keeps the stream of random numbers apart from others of the same seed. */
const MIX = 31;

/** Draws what happens to the batch of a step, counted from 0 in its epoch. With both kinds each batch draws one of them. */
export function drawMix(
  { mixup = 0, cutmix = 0 }: Mixing,
  { seed, epoch, step }: { readonly seed: number; readonly epoch: number; readonly step: number },
  size: { readonly height: number; readonly width: number } | undefined,
): Mix {
  const { next } = random(seed, epoch, step, MIX);
  const uniform = (): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6) + 0.5) * 2 ** -53;
  const isCut = size !== undefined && cutmix > 0 && (mixup === 0 || uniform() < 0.5);
  const share = betaShare(isCut ? cutmix : mixup, uniform);
  if (!isCut) return { kind: 'mixup', share };
  const { height, width } = size;
  const center = { x: Math.floor(uniform() * width), y: Math.floor(uniform() * height) };
  const box = boxAround(center, share, size);
  const area = (box.bottom - box.top) * (box.right - box.left);
  return { kind: 'cutmix', share: 1 - area / (width * height), box };
}

/** The box that CutMix replaces, as torchvision computes it: cut off at the image's edges, so that its area may be smaller than 1 − share. */
export function boxAround(
  { x, y }: { readonly x: number; readonly y: number },
  share: number,
  { height, width }: { readonly height: number; readonly width: number },
): Box {
  const half = 0.5 * Math.sqrt(1 - share);
  const [down, across] = [Math.trunc(half * height), Math.trunc(half * width)];
  return {
    top: Math.max(0, y - down),
    bottom: Math.min(height, y + down),
    left: Math.max(0, x - across),
    right: Math.min(width, x + across),
  };
}

/**
 * A number from Beta(α, α) as X / (X + Y) of two from Gamma(α), of which only logarithms are formed: for a small α both are often below the
 * least float64.
 */
export function betaShare(alpha: number, uniform: () => number): number {
  const [x, y] = [logGamma(alpha, uniform), logGamma(alpha, uniform)];
  return 1 / (1 + Math.exp(y - x));
}

/** The logarithm of a number from Gamma(α): Marsaglia and Tsang, ACM TOMS 26, 2000; below α = 1 with their section 6. */
function logGamma(alpha: number, uniform: () => number): number {
  if (alpha < 1) return logGamma(alpha + 1, uniform) + Math.log(uniform()) / alpha;
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const z = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const v = (1 + c * z) ** 3;
    if (v > 0 && Math.log(uniform()) < 0.5 * z * z + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** Whether samples are mixed at all. */
export function isMixed({ mixup = 0, cutmix = 0 }: Mixing = {}): boolean {
  return mixup > 0 || cutmix > 0;
}

/** A tensor of floats whose rows are those of so many steps, mixed within each. Of labels a share is mixed, and never cut. */
export function mixSteps(tensor: Tensor, mixes: readonly Mix[], areLabels: boolean): Tensor {
  const [rows = 0, ...rest] = tensor.dims;
  const count = rows / mixes.length;
  const size = count * rowWidth(tensor);
  const all = tensor.data instanceof Float32Array ? tensor.data : Float32Array.from(toNumbers(tensor));
  const mixed = new Float32Array(all.length);
  for (const [i, mix] of mixes.entries()) {
    const own = all.subarray(i * size, (i + 1) * size);
    const isCut = mix.kind === 'cutmix' && !areLabels;
    mixed.set(isCut ? cutRows(own, [count, ...rest], mix.box) : meanRows(own, count, mix.share), i * size);
  }
  const data = tensor.dtype === 'float32' ? mixed : fromNumbers([...mixed], tensor.dtype);
  if (data === undefined) throw new Error(`${tensor.dtype} cannot be mixed`);
  return { ...tensor, data };
}

/** share · each row + (1 − share) · the one before it, in float32 and in torchvision's order of operations. */
export function meanRows(rows: Float32Array, count: number, share: number): Float32Array {
  const width = rows.length / Math.max(1, count);
  const out = new Float32Array(rows.length);
  const [own, other] = [Math.fround(share), Math.fround(1 - share)];
  for (let i = 0; i < rows.length; i++) {
    const before = rows[i < width ? i + rows.length - width : i - width] ?? 0;
    out[i] = Math.fround(before * other) + Math.fround((rows[i] ?? 0) * own);
  }
  return out;
}

/** Images [count, C, H, W] of which the box is that of the one before. */
export function cutRows(
  images: Float32Array,
  dims: readonly number[],
  { top, bottom, left, right }: Box,
): Float32Array {
  const [count = 0, channels = 0, height = 0, width = 0] = dims;
  const out = images.slice();
  const plane = height * width;
  for (let n = 0; n < count; n++) {
    const before = n === 0 ? count - 1 : n - 1;
    for (let c = 0; c < channels; c++) {
      for (let y = top; y < bottom; y++) {
        const [to, from] = [n, before].map((image) => (image * channels + c) * plane + y * width) as [number, number];
        out.set(images.subarray(from + left, from + right), to + left);
      }
    }
  }
  return out;
}
