import type { BlockedContext, Placed } from '../../../src/contract.ts';
import { type Emitter, int, ints, type Value } from '../../../src/emit/index.ts';
import { reshapeTo } from '../../support/shapes.ts';
import type { ConvPlan } from '../conv.ts';
import { BLOCKED, firstChannels } from './calls.ts';
import { roundUp } from './filters.ts';

/**
 * dw[k] = Σ dy[o] · x[o·stride + k·dilation − before]: a convolution of x with dy for a kernel, stride and dilation exchanged. What
 * the padding behind is then, per axis; negative where the last elements of x are read by no window.
 */
function behind({ sliding, from, to }: ConvPlan, i: number): number {
  const { kernel, strides, dilations, before } = sliding;
  const reach = ((kernel[i] ?? 1) - 1) * (dilations[i] ?? 1) + ((to[i + 2] ?? 1) - 1) * (strides[i] ?? 1) + 1;
  return reach - (from[i + 2] ?? 1) - (before[i] ?? 0);
}

function exchanged({ sliding: { strides, dilations } }: ConvPlan, kernel: readonly number[], pads: readonly number[]) {
  return { kernel_shape: ints(kernel), strides: ints(dilations), dilations: ints(strides), pads: ints(pads) };
}

/** Images beside channels, [1, N·C, …]: a depthwise Conv whose filter is dy as it lies in memory. */
export function depthwiseWeightGradient(
  context: BlockedContext,
  plan: ConvPlan,
  dy: Value,
): readonly Placed[] | undefined {
  const { op, block } = context;
  const { x, from, to, filter, sliding } = plan;
  const after = [behind(plan, 0), behind(plan, 1)];
  if (!context.canBlock(x) || !context.canBlock(dy) || after.some((pad) => pad < 0)) return undefined;
  const [channels, , kh, kw] = filter;
  const [up, n] = [roundUp(channels, block), from[0] ?? 1];
  const image = op.reshape(context.blocked(x), [1, n * up, from[2] ?? 1, from[3] ?? 1]);
  const kernel = op.reshape(context.blocked(dy), [n * up, 1, to[2] ?? 1, to[3] ?? 1]);
  const attributes = { ...exchanged(plan, to.slice(2), [...sliding.before, ...after]), group: int(n * up) };
  const perImage = op.call('Conv', [image, kernel], { domain: BLOCKED, attributes });
  const sum = op.reduceSum(op.reshape(perImage, [n, up / block, kh * kw, block]), [0]);
  const dw = op.reshape(op.transpose(sum, [0, 2, 1]), [up, 1, kh, kw]);
  return [{ plain: firstChannels(op, dw, channels, up) }];
}

/** One product over all images and positions, [M, N·L] times [N·L, C], both read with channels last. */
export function pointwiseWeightGradient(
  context: BlockedContext,
  { x, filter }: ConvPlan,
  dy: Value,
): readonly Placed[] | undefined {
  if (!context.isBlocked(x) || !context.isBlocked(dy)) return undefined;
  const { op } = context;
  const rows = (value: Value, channels: number): Value => {
    const attributes = { channels: int(channels), channels_last: int(1) };
    const last = op.call('ReorderOutput', [context.blocked(value)], { domain: BLOCKED, attributes });
    return op.reshape(last, [-1, channels]);
  };
  const [m, c] = filter;
  return [{ plain: op.reshape(op.gemm(rows(dy, m), rows(x, c), { transA: true }), [m, c, 1, 1]) }];
}

/** Images as input channels: a Conv of [C, N, H, W] with the filters [M, N, H′, W′]. */
export function denseWeightGradient(context: BlockedContext, plan: ConvPlan, dy: Value): readonly Placed[] | undefined {
  const { op, block } = context;
  const { x, filter, from, to } = plan;
  const [n = 1] = from;
  const [m, c, kh, kw] = filter;
  if (n % block !== 0 || m % block !== 0) return undefined;
  const images = paddedImages(op, op.transpose(context.plain(x), [1, 0, 2, 3]), plan, { n, c }, block);
  const sizes = { n, m, to };
  const filters =
    m === block && context.isBlocked(dy)
      ? imagesOfBlock(op, context.blocked(dy), sizes, block)
      : imageFilters(op, op.transpose(context.plain(dy), [1, 0, 2, 3]), sizes, block);
  const attributes = exchanged(plan, to.slice(2), [0, 0, 0, 0]);
  const products = op.call('Conv', [images, filters], { domain: BLOCKED, attributes, shape: [c, m, kh, kw] });
  const dw = op.call('ReorderOutput', [products], {
    domain: BLOCKED,
    attributes: { channels: int(m) },
    shape: [c, m, kh, kw],
  });
  return [{ plain: op.transpose(dw, [1, 0, 2, 3]) }];
}

/** [C, N, H, W] in blocks of images, with its padding written out: rows of blocks are long, so that a Pad is quick. */
function paddedImages(
  op: Emitter,
  images: Value,
  plan: ConvPlan,
  { n, c }: { readonly n: number; readonly c: number },
  block: number,
): Value {
  const [, , h = 1, w = 1] = plan.from;
  const [top = 0, left = 0] = plan.sliding.before;
  const [bottom, right] = [behind(plan, 0), behind(plan, 1)];
  const blocked = op.call('ReorderInput', [images], { domain: BLOCKED, shape: [c, n, h, w] });
  if ([top, left, bottom, right].every((pad) => pad === 0)) return blocked;
  const rows = op.reshape(blocked, [c, n / block, h, w * block]);
  const pads = op.vector([0, 0, top, left * block, 0, 0, bottom, right * block]);
  return reshapeTo(op, op.call('Pad', [rows, pads]), [c, n, h + top + bottom, w + left + right]);
}

interface FilterSizes {
  readonly n: number;
  readonly m: number;
  readonly to: readonly number[];
}

/** The same from gradients of one block, [N, H′·W′, b of M]: images change places with positions, in one move. */
function imagesOfBlock(op: Emitter, gradients: Value, { n, m, to }: FilterSizes, block: number): Value {
  const [h = 1, w = 1] = to.slice(2);
  const blocks = op.reshape(gradients, [n / block, block, h * w, block]);
  return op.reshape(op.transpose(blocks, [0, 2, 1, 3]), [m, n, h, w]);
}

/** [M, N, H′, W′] as the blocked Conv reads filters: [M/b, N/b, H′·W′, b of N, b of M]. */
function imageFilters(op: Emitter, gradients: Value, { n, m, to }: FilterSizes, block: number): Value {
  const [h = 1, w = 1] = to.slice(2);
  const blocked = op.call('ReorderInput', [gradients], { domain: BLOCKED, shape: [m, n, h, w] });
  const last = op.transpose(op.reshape(blocked, [m / block, block, n * h * w]), [0, 2, 1]);
  return op.reshape(last, [m, n, h, w]);
}
