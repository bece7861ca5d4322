import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { int, ints, type Node, staticDims, type Value } from '../../src/emit/index.ts';
import { windowOf } from '../expansions/support/window.ts';
import { groupOf } from '../gradients/support/kernel.ts';
import { BLOCKED } from './support/calls.ts';
import {
  adjointFilter,
  blockedFilter,
  depthwiseFilter,
  type FilterDims,
  firstFilter,
  paddedVector,
  roundUp,
} from './support/filters.ts';
import { denseWeightGradient, depthwiseWeightGradient, pointwiseWeightGradient } from './support/weightGradient.ts';

/** How a window slides, all of it numbers. */
export interface Sliding {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** What a convolution and its gradients are about, where all of that is known. */
export interface ConvPlan {
  readonly x: Value;
  readonly w: Value;
  /** [N, C, H, W] and [N, M, H′, W′] */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly filter: FilterDims;
  readonly group: number;
  readonly sliding: Sliding;
  readonly isDepthwise: boolean;
}

/** y = x ⋆ w + b with w that changes in training; where it does not, the runtime blocks it itself. */
export const Conv: BlockedRule = (context) => {
  const { op, node, block, inputs = node.inputs } = { ...context, inputs: context.node.inputs };
  const [x, w, bias] = inputs;
  const plan = x && w && node.outputs[0] && planOf(context, node, x, w, node.outputs[0]);
  if (!plan || context.isConstant(plan.w)) return undefined;
  const read = reading(context, plan);
  if (!read) return undefined;
  const shift = bias && paddedVector(op, bias, plan.filter[0], block);
  return [{ blocked: convolve(context, [read.image, read.filter, shift], plan, plan.sliding) }];
};

/** The image and the filter as the blocked Conv reads them; `undefined` where it has no form for them. */
function reading(context: BlockedContext, plan: ConvPlan): { image: Value; filter: Value } | undefined {
  const { op, block } = context;
  const { x, w, filter, group, isDepthwise } = plan;
  const [m, c] = filter;
  const isFirst = group === 1 && c < block && (c % 4 !== 0 || !context.isBlocked(x)) && c <= 4;
  if (isFirst) return { image: context.plain(x), filter: firstFilter(op, w, filter, block) };
  if (!context.canBlock(x)) return undefined;
  if (isDepthwise) return { image: context.blocked(x), filter: depthwiseFilter(op, w, filter, block) };
  if (group > 1 && (c % block !== 0 || (m / group) % block !== 0)) return undefined;
  return { image: context.blocked(x), filter: blockedFilter(op, w, filter, block) };
}

/** dx: at stride 1 a Conv of dy with the adjoint filter. */
export const ConvInputGrad: BlockedRule = (context) => {
  const { op, node, input, block } = context;
  const [dy, w, x] = [input(0), input(1), input(2)];
  const plan = planOf(context, node, x, w, dy);
  if (!plan || !context.canBlock(dy)) return undefined;
  const { sliding, filter, isDepthwise, group } = plan;
  if (sliding.strides.some((stride) => stride !== 1) || (group > 1 && !isDepthwise)) return undefined;
  const span = sliding.kernel.map((k, i) => (k - 1) * (sliding.dilations[i] ?? 1));
  const before = span.map((reach, i) => reach - (sliding.before[i] ?? 0));
  const after = span.map((reach, i) => reach - (sliding.after[i] ?? 0));
  if ([...before, ...after].some((pad) => pad < 0)) return undefined;
  const turned = isDepthwise ? depthwiseFilter(op, w, filter, block, true) : adjointFilter(op, w, filter, block);
  const back = { ...plan, from: plan.to, to: plan.from };
  return [{ blocked: convolve(context, [context.blocked(dy), turned], back, { ...sliding, before, after }) }];
};

export const ConvWeightGrad: BlockedRule = (context) => {
  const { node, input } = context;
  const [x, dy, w] = [input(0), input(1), input(2)];
  const plan = planOf(context, node, x, w, dy);
  if (!plan) return undefined;
  const { isDepthwise, group, sliding } = plan;
  if (isDepthwise) return depthwiseWeightGradient(context, plan, dy);
  if (group > 1) return undefined;
  const isPointwise = sliding.kernel.every((k) => k === 1) && sliding.strides.every((s) => s === 1);
  return isPointwise ? pointwiseWeightGradient(context, plan, dy) : denseWeightGradient(context, plan, dy);
};

function planOf(context: BlockedContext, node: Node, x: Value, w: Value, y: Value): ConvPlan | undefined {
  const [from, to, filter] = [context.dims(x), context.dims(y), staticDims(w.shape)];
  const [m, c, height, width] = filter ?? [];
  if (!from || !to || filter?.length !== 4 || w.dtype !== 'float32') return undefined;
  if (m === undefined || c === undefined || height === undefined || width === undefined) return undefined;
  const window = windowOf(context.op, withKernel(node, [height, width]), x, y);
  const numbers = window.flatMap(({ before, after }) => [before, after]).filter((pad) => typeof pad === 'number');
  if (numbers.length !== 2 * window.length) return undefined;
  const group = groupOf(node);
  return {
    x,
    w,
    from,
    to,
    filter: [m, c, height, width],
    group,
    isDepthwise: group > 1 && c === 1 && m === group,
    sliding: {
      kernel: window.map((a) => a.kernel),
      strides: window.map((a) => a.stride),
      dilations: window.map((a) => a.dilation),
      before: window.map((a) => Number(a.before)),
      after: window.map((a) => Number(a.after)),
    },
  };
}

/** The kernel's sizes are the weights' own where the attribute is left out. */
function withKernel(node: Node, kernel: readonly number[]): Node {
  if (node.attributes.has('kernel_shape')) return node;
  const attributes = new Map([...node.attributes, ['kernel_shape', ints(kernel)] as const]);
  return Object.assign(Object.create(Object.getPrototypeOf(node)), node, { attributes });
}

/** The blocked Conv of image, filter and bias, from and to as the plan has them. */
function convolve(
  { op, block, dims: _, ...context }: BlockedContext,
  inputs: readonly (Value | undefined)[],
  { to, group, isDepthwise, filter }: Pick<ConvPlan, 'to' | 'group' | 'isDepthwise' | 'filter'>,
  { kernel, strides, dilations, before, after }: Sliding,
): Value {
  const groups = isDepthwise ? roundUp(filter[0], block) : group;
  const [n, c = 1, h, w] = to;
  const attributes = {
    group: int(groups),
    kernel_shape: ints(kernel),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints([...before, ...after]),
  };
  const batch = context.node.outputs[0]?.shape?.[0] ?? n;
  return op.call('Conv', inputs, { domain: BLOCKED, attributes, shape: [batch, roundUp(c, block), h, w] });
}
