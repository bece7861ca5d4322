import type { BlockedContext } from '../../../src/contract.ts';
import { int, ints, type Node, string, type Value } from '../../../src/emit/index.ts';

/** ONNX Runtime's operators on channels in blocks. */
export const BLOCKED = 'com.microsoft.nchwc';

/** A number per channel on blocked x: x·k + shift, as a depthwise Conv with a kernel of one element, which also adds `sum`. */
export function affine({ op }: Pick<BlockedContext, 'op'>, x: Value, scale: Value, shift?: Value, sum?: Value): Value {
  const channels = Number(x.shape?.[1]);
  return op.call('Conv', [x, op.reshape(scale, [channels, 1, 1, 1]), shift, ...(sum ? [sum] : [])], {
    domain: BLOCKED,
    attributes: { group: int(channels), kernel_shape: ints([1, 1]) },
    shape: x.shape,
  });
}

/** Mean of blocked x over planes and images, [C↑]. */
export function channelMeans({ op }: Pick<BlockedContext, 'op'>, x: Value): Value {
  const [n, c] = x.shape ?? [];
  const planes = op.call('GlobalAveragePool', [x], { domain: BLOCKED, shape: [n, c, 1, 1] });
  return op.reduceMean(op.reshape(planes, [-1, Number(c)]), [0]);
}

/** The blocked Conv that made a value, if something can still be fused into it. */
function openConv(blocked: Value): Node | undefined {
  const { producer } = blocked;
  const isConv = producer?.domain === BLOCKED && producer.opType === 'Conv';
  return isConv && !producer.attributes.has('activation') ? producer : undefined;
}

/** An activation of blocked x, fused into the Conv that makes x. The old Conv is removed, since nothing else reads it. */
export function withActivation(
  { op }: Pick<BlockedContext, 'op'>,
  x: Value,
  activation: string,
  params?: readonly number[],
): Value | undefined {
  const conv = openConv(x);
  if (!conv) return undefined;
  const more = params ? { activation_params: { type: 'floats' as const, value: params } } : {};
  const attributes = { ...attributesAsWritten(conv), activation: string(activation), ...more };
  return op.call('Conv', conv.inputs, { domain: BLOCKED, attributes, shape: x.shape, dtype: x.dtype });
}

/** x + other, fused into the Conv that makes x. */
export function withSum({ op }: Pick<BlockedContext, 'op'>, x: Value, other: Value): Value | undefined {
  const conv = openConv(x);
  if (!conv || conv.inputs[3]) return undefined;
  const [image, filter, bias] = conv.inputs;
  const attributes = attributesAsWritten(conv);
  return op.call('Conv', [image, filter, bias, other], { domain: BLOCKED, attributes, shape: x.shape, dtype: x.dtype });
}

function attributesAsWritten(node: Node): Record<string, ReturnType<typeof int>> {
  return Object.fromEntries(node.attributes) as Record<string, ReturnType<typeof int>>;
}

/** The first channels of x, along the first axis. */
export function firstChannels(op: BlockedContext['op'], x: Value, channels: number, of: number): Value {
  if (channels === of) return x;
  const first = op.slice(x, { axes: [0], starts: [0], ends: [channels] });
  first.shape = [channels, ...(x.shape?.slice(1) ?? [])];
  return first;
}
