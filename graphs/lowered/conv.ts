import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { ints, type Node, staticDims, type Value } from '../../src/emit/index.ts';
import { windowOf } from '../expansions/support/window.ts';
import { groupOf } from '../gradients/support/kernel.ts';
import { blockedFilter, depthwiseFilter, firstFilter, paddedVector } from './support/filters.ts';
import { inputGradient } from './support/inputGradient.ts';
import { type ConvPlan, convolve } from './support/plan.ts';
import { denseWeightGradient, depthwiseWeightGradient, pointwiseWeightGradient } from './support/weightGradient.ts';

/** y = x ⋆ w + b for a w that is trained; if it is constant, the runtime blocks it itself. */
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

/** The image and the filter as the blocked Conv reads them; `undefined` if it has no form for them. */
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

/** dx: Convs of dy with the adjoint filter, one for each phase of the stride. */
export const ConvInputGrad: BlockedRule = (context) => {
  const { node, input } = context;
  const [dy, w, x] = [input(0), input(1), input(2)];
  const plan = planOf(context, node, x, w, dy);
  if (!plan || !context.canBlock(dy) || (plan.group > 1 && !plan.isDepthwise)) return undefined;
  const dx = inputGradient(context, plan, dy);
  return dx && [{ blocked: dx }];
};

export const ConvWeightGrad: BlockedRule = (context) => {
  const { node, input } = context;
  const [x, dy, w] = [input(0), input(1), input(2)];
  const plan = planOf(context, node, x, w, dy);
  if (!plan) return undefined;
  const { isDepthwise, group, sliding } = plan;
  if (isDepthwise) return depthwiseWeightGradient(context, plan, dy);
  if (group > 1) return undefined;
  const isPointwise = sliding.kernel.every((k) => k === 1) && sliding.before.every((pad) => pad === 0);
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

/** Without the attribute, the kernel's sizes are those of the weights. */
function withKernel(node: Node, kernel: readonly number[]): Node {
  if (node.attributes.has('kernel_shape')) return node;
  const attributes = new Map([...node.attributes, ['kernel_shape', ints(kernel)] as const]);
  return Object.assign(Object.create(Object.getPrototypeOf(node)), node, { attributes });
}
