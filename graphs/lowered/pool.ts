import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { intAttribute, intsAttribute, staticDims, type Value } from '../../src/emit/index.ts';
import { attributesOf } from '../gradients/support/composite.ts';
import { BLOCKED, channelMeans, firstChannels } from './support/calls.ts';
import { roundUp } from './support/filters.ts';

export const GlobalAveragePool: BlockedRule = (context) => {
  const { op, input } = context;
  if (!context.isBlocked(input(0))) return undefined;
  return [{ blocked: op.call('GlobalAveragePool', [context.blocked(input(0))], { domain: BLOCKED }) }];
};

/** The places of the maxima are no output of the blocked operator. */
export const MaxPool: BlockedRule = (context) => {
  const { op, node, input } = context;
  const isPlain = intAttribute(node, 'ceil_mode', 0) === 0 && intAttribute(node, 'storage_order', 0) === 0;
  if (!context.isBlocked(input(0)) || node.outputs[1] || !isPlain) return undefined;
  const { storage_order: _, ...attributes } = attributesOf(node);
  return [{ blocked: op.call('MaxPool', [context.blocked(input(0))], { domain: BLOCKED, attributes }) }];
};

/** A number per image and channel onto planes: the gradient of a global mean. */
export const Expand: BlockedRule = (context) => {
  const { op, node, input, block, dims } = context;
  const [from, to] = [dims(input(0)), dims(node.outputs[0])];
  if (!from || !to || from[2] * from[3] !== 1 || to[2] * to[3] === 1) return undefined;
  if (from[1] !== to[1] || from[0] !== to[0] || to[1] % block !== 0) return undefined;
  const [, channels, h, w] = to;
  const blocks = channels / block;
  const flat = op.reshape(context.plain(input(0)), [-1, blocks, 1, block]);
  const planes = op.expand(flat, op.vector([1, blocks, h * w, block]));
  return [{ blocked: op.reshape(planes, [-1, channels, h, w]) }];
};

/** Σ over images and planes: a bias's gradient. */
export const ReduceSum: BlockedRule = (context) => {
  const { node, input, block, dims, numbersOf } = context;
  const axes = node.inputs[1] ? numbersOf(node.inputs[1]) : intsAttribute(node, 'axes');
  const lengths = dims(input(0));
  if (!lengths || !context.isBlocked(input(0)) || axes?.join() !== '0,2,3') return undefined;
  if (intAttribute(node, 'keepdims', 1) !== 0 || staticDims(node.outputs[0]?.shape) === undefined) return undefined;
  const [n, channels, h, w] = lengths;
  return [{ plain: channelSums(context, input(0), channels, roundUp(channels, block), n * h * w) }];
};

function channelSums(context: BlockedContext, x: Value, channels: number, up: number, count: number): Value {
  const means = channelMeans(context, context.blocked(x));
  return context.op.mul(firstChannels(context.op, means, channels, up), count);
}
