import type { BlockedContext, Placed } from '../../../src/contract.ts';
import { int, ints, type Pen, type Value } from '../../../src/emit/index.ts';
import { range } from '../../support/shapes.ts';
import { BLOCKED, firstChannels } from './calls.ts';
import { roundUp } from './filters.ts';
import type { ConvPlan } from './plan.ts';

/**
 * dw[k] = Σ dy[o] · x[o·stride + k·dilation − before]: a convolution of x with dy as the kernel, with stride and dilation swapped. This is
 * its padding at the end of each axis; negative if no window reads the last elements of x.
 */
function behind({ sliding, from, to }: ConvPlan, i: number): number {
  const { kernel, strides, dilations, before } = sliding;
  const reach = ((kernel[i] ?? 1) - 1) * (dilations[i] ?? 1) + ((to[i + 2] ?? 1) - 1) * (strides[i] ?? 1) + 1;
  return reach - (from[i + 2] ?? 1) - (before[i] ?? 0);
}

function exchanged({ sliding: { strides, dilations } }: ConvPlan, kernel: readonly number[], pads: readonly number[]) {
  return { kernel_shape: ints(kernel), strides: ints(dilations), dilations: ints(strides), pads: ints(pads) };
}

/** Images as channels, [1, N·C, …]: a depthwise Conv whose filter is dy as it lies in memory. */
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
  { x, filter, sliding: { strides } }: ConvPlan,
  dy: Value,
): readonly Placed[] | undefined {
  if (!context.isBlocked(x) || !context.isBlocked(dy)) return undefined;
  const { op } = context;
  const rows = (value: Value, channels: number): Value => {
    const attributes = { channels: int(channels), channels_last: int(1) };
    return op.reshape(op.call('ReorderOutput', [value], { domain: BLOCKED, attributes }), [-1, channels]);
  };
  const [m, c] = filter;
  const read = every(op, context.blocked(x), strides);
  const dw = op.gemm(rows(context.blocked(dy), m), rows(read, c), { transA: true });
  return [{ plain: op.reshape(dw, [m, c, 1, 1]) }];
}

/** The elements of blocked x that a stride reads, by pooling single elements: unlike a Slice, that uses all threads. */
function every(op: Pen, x: Value, strides: readonly number[]): Value {
  if (strides.every((stride) => stride === 1)) return x;
  const attributes = { kernel_shape: ints(strides.map(() => 1)), strides: ints(strides) };
  return op.call('MaxPool', [x], { domain: BLOCKED, attributes });
}

/**
 * Images as input channels: a Conv of [C, N, H, W] with the filters [M, N, H′, W′]. Fewer images than a block are read in plain form, and
 * the filters are dy as it lies in memory, up to the order of images. More images, or planes too large for the cache, become several such
 * Convs, each of which adds to the one before.
 */
export function denseWeightGradient(context: BlockedContext, plan: ConvPlan, dy: Value): readonly Placed[] | undefined {
  if (!context.canBlock(dy)) return undefined;
  const { op, block } = context;
  const { filter, to } = plan;
  const [m, c, kh, kw] = filter;
  const [up, w] = [roundUp(m, block), to[3] ?? 1];
  const images = paddedImages(context, plan);
  const gradients = op.reshape(context.blocked(dy), [to[0] ?? 1, up / block, to[2] ?? 1, w * block]);
  const sum = slabs(plan, block).reduce<Value | undefined>((before, { n, read, rows }) => {
    const [count, h] = [n[1] - n[0], rows[1] - rows[0]];
    const part = op.reshape(cut(op, gradients, [0, 2], [n, rows]), [count, up / block, h * w * block]);
    const filters = op.reshape(count === 1 ? part : op.transpose(part, [1, 0, 2]), [up, count, h, w]);
    const inputs = [cut(op, images, [1, 2], [n, read]), filters, ...(before ? [undefined, before] : [])];
    const attributes = exchanged(plan, [h, w], [0, 0, 0, 0]);
    return op.call('Conv', inputs, { domain: BLOCKED, attributes, shape: [c, up, kh, kw] });
  }, undefined);
  return sum && [{ plain: firstChannels(op, outputsFirst(op, sum, [up, c, kh, kw], block), m, up) }];
}

type Span = readonly [number, number];

/** The images and rows of dy in one Conv, and the rows of padded x that it reads. */
interface Slab {
  readonly n: Span;
  readonly rows: Span;
  readonly read: Span;
}

/** Bytes of dy, four blocks of channels of an image. They are read again for each channel of x, and stay in a core's cache until then. */
const CACHED = 900_000;

function slabs({ to, filter, sliding }: ConvPlan, block: number): Slab[] {
  const [n = 1, m = 1, h = 1, w = 1] = to;
  const plane = Math.min(4 * block, roundUp(m, block)) * h * w * 4;
  const strips = spans(h, Math.min(h, Math.ceil(plane / CACHED)));
  const [stride = 1, reach] = [sliding.strides[0], (filter[2] - 1) * (sliding.dilations[0] ?? 1) + 1];
  return spans(n, Math.ceil(n / (block - 1))).flatMap((images) =>
    strips.map((rows) => ({ n: images, rows, read: [rows[0] * stride, (rows[1] - 1) * stride + reach] as const })),
  );
}

/** 0…length in this many parts, as equal as possible. */
function spans(length: number, parts: number): Span[] {
  const at = (i: number): number => Math.floor((i * length) / parts);
  return range(parts).map((i) => [at(i), at(i + 1)] as const);
}

/** Spans of x along two axes. */
function cut(op: Pen, x: Value, axes: Span, parts: readonly [Span, Span]): Value {
  const own = [0, 1].flatMap((i) => {
    const [axis = 0, [start, end] = [0, 0]] = [axes[i], parts[i]];
    return start === 0 && end === x.shape?.[axis] ? [] : [{ axis, start, end }];
  });
  if (own.length === 0) return x;
  const [starts, ends] = [own.map(({ start }) => start), own.map(({ end }) => end)];
  return op.slice(x, { axes: own.map(({ axis }) => axis), starts, ends });
}

/** [C, N, H, W] with explicit padding: otherwise outputs at an edge are computed one at a time. In blocks, the rows to move are long. */
function paddedImages(context: BlockedContext, plan: ConvPlan): Value {
  const { op, block } = context;
  const { x, from, sliding } = plan;
  const [n = 1, c = 1, h = 1, w = 1] = from;
  const [top = 0, left = 0] = sliding.before;
  const [bottom, right] = [behind(plan, 0), behind(plan, 1)];
  const isWhole = [top, left, bottom, right].every((pad) => pad === 0);
  const padded = (images: Value, unit: number): Value =>
    isWhole ? images : op.call('Pad', [images, op.vector([0, 0, top, left * unit, 0, 0, bottom, right * unit])]);
  const size = [h + top + bottom, w + left + right];
  const swapped = (images: Value): Value => {
    const outcome = op.transpose(images, [1, 0, 2, 3]);
    outcome.shape = [c, n, ...size];
    return outcome;
  };
  if (!context.isBlocked(x)) return swapped(padded(context.plain(x), 1));
  const rows = op.reshape(context.blocked(x), [n, roundUp(c, block) / block, h, w * block]);
  const blocked = op.reshape(padded(rows, block), [n, roundUp(c, block), ...size]);
  return swapped(op.call('ReorderOutput', [blocked], { domain: BLOCKED, attributes: { channels: int(c) } }));
}

/** Blocked [C, M, k, k] as plain [M, C, k, k]: it moves long runs, and one reorder does the rest. */
function outputsFirst(
  op: Pen,
  dw: Value,
  [m, c, h, w]: readonly [number, number, number, number],
  block: number,
): Value {
  const runs = op.transpose(op.reshape(dw, [c, m / block, h * w * block]), [1, 0, 2]);
  const image = op.reshape(runs, [m / block, block, c * h * w, 1]);
  const attributes = { channels: int(block) };
  return op.reshape(op.call('ReorderOutput', [image], { domain: BLOCKED, attributes }), [m, c, h, w]);
}
