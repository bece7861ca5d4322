import type { BlockedContext } from '../../../src/contract.ts';
import { int, ints, type Value } from '../../../src/emit/index.ts';
import { BLOCKED } from './calls.ts';
import { type FilterDims, roundUp } from './filters.ts';

/** How a window slides, with all numbers known. */
export interface Sliding {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The shapes of a convolution and its gradients, if all are known. */
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

/** The blocked Conv of image, filter and bias, with the plan's shapes. */
export function convolve(
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
