import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { float, intAttribute, intsAttribute, type Node, staticDims, type Value } from '../../src/emit/index.ts';
import { windowOf } from '../expansions/support/window.ts';
import { attributesOf } from '../gradients/support/composite.ts';
import { range } from '../support/shapes.ts';
import { BLOCKED, channelMeans, firstChannels } from './support/calls.ts';
import { roundUp } from './support/filters.ts';
import { sumsColumns, turnedGradient } from './support/turned.ts';

export const GlobalAveragePool: BlockedRule = (context) => {
  const { op, input } = context;
  if (!context.isBlocked(input(0))) return undefined;
  return [{ blocked: op.call('GlobalAveragePool', [context.blocked(input(0))], { domain: BLOCKED }) }];
};

/** The blocked operator does not output the positions of the maxima. */
export const MaxPool: BlockedRule = (context) => {
  const { op, node, input } = context;
  const isPlain = intAttribute(node, 'ceil_mode', 0) === 0 && intAttribute(node, 'storage_order', 0) === 0;
  if (!context.isBlocked(input(0)) || node.outputs[1] || !isPlain) return undefined;
  const { storage_order: _, ...attributes } = attributesOf(node);
  return [{ blocked: op.call('MaxPool', [context.blocked(input(0))], { domain: BLOCKED, attributes }) }];
};

/**
 * For windows that do not overlap: dy times [x = y], one window element after the other in scan order. Once an element has taken the
 * gradient, later ones get none, so ties go to the first. Rows of a window are rows of the view [N·C/b, H/k, k, W/k·k·b].
 */
export const MaxPoolGrad: BlockedRule = (context) => {
  const { op, node, input, block } = context;
  const [x, dy] = [input(0), input(1)];
  const sizes = tiling(context, node, x, dy);
  if (!sizes || !context.isBlocked(x) || !context.canBlock(dy)) return undefined;
  const { planes, rows, columns, kernel } = sizes;
  const attributes = attributesOf(node);
  const y = op.call('MaxPool', [context.blocked(x)], { domain: BLOCKED, attributes });
  const small = (value: Value): Value => op.reshape(value, [planes, rows, columns, block]);
  const whole = op.reshape(context.blocked(x), [planes, rows, kernel, columns, kernel * block]);
  const most = small(y);
  let left = small(context.blocked(dy));
  const lines = range(kernel).map((i) => {
    const parts = range(kernel).map((j) => {
      const element = op.slice(whole, { axes: [2, 4], starts: [i, j * block], ends: [i + 1, (j + 1) * block] });
      const own = op.mul(left, isZero(op, op.sub(most, small(element))));
      if (i + j < 2 * (kernel - 1)) left = op.sub(left, own);
      return own;
    });
    return op.reshape(op.concat(parts, 3), [planes, rows, 1, columns * kernel * block]);
  });
  const up = roundUp(Number(x.shape?.[1]), block);
  return [{ blocked: op.reshape(op.concat(lines, 2), [-1, up, rows * kernel, columns * kernel]) }];
};

/** 1 if a distance is 0, otherwise 0. */
function isZero(op: BlockedContext['op'], distance: Value): Value {
  return op.call('HardSigmoid', [distance], { attributes: { alpha: float(-3.4e38), beta: float(1) } });
}

interface Tiling {
  /** Images times blocks of channels. */
  readonly planes: number;
  readonly rows: number;
  readonly columns: number;
  readonly kernel: number;
}

/** Square windows that divide x evenly. */
function tiling({ dims, op, block }: BlockedContext, node: Node, x: Value, dy: Value): Tiling | undefined {
  const [from, to] = [dims(x), dims(dy)];
  if (!from || !to || intAttribute(node, 'ceil_mode', 0) !== 0) return undefined;
  const window = windowOf(op, node, x, dy);
  const [first] = window;
  const isTiled = window.every(
    ({ kernel, stride, dilation, before, after, input, output }) =>
      kernel === first?.kernel &&
      kernel === stride &&
      dilation === 1 &&
      before === 0 &&
      after === 0 &&
      input === kernel * Number(output),
  );
  if (!first || !isTiled) return undefined;
  const planes = (from[0] * roundUp(from[1], block)) / block;
  return { planes, rows: to[2], columns: to[3], kernel: first.kernel };
}

/** Spreads a number per image and channel over its plane: the gradient of a global mean. */
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

/** Σ over images, and over planes if there are any: a bias's gradient. */
export const ReduceSum: BlockedRule = (context) => planeSums(context) ?? columnSums(context);

function columnSums(context: BlockedContext): ReturnType<BlockedRule> {
  const turned = sumsColumns(context, context.node) ? turnedGradient(context, context.input(0)) : undefined;
  return turned && [{ plain: context.op.reduceSum(turned, [1]) }];
}

function planeSums(context: BlockedContext): ReturnType<BlockedRule> {
  const { node, input, block, dims, numbersOf } = context;
  const axes = node.inputs[1] ? numbersOf(node.inputs[1]) : intsAttribute(node, 'axes');
  const lengths = dims(input(0));
  if (!lengths || !context.isBlocked(input(0)) || axes?.join() !== '0,2,3') return undefined;
  if (intAttribute(node, 'keepdims', 1) !== 0 || staticDims(node.outputs[0]?.shape) === undefined) return undefined;
  const [n, channels, h, w] = lengths;
  return [{ plain: channelSums(context, input(0), channels, roundUp(channels, block), n * h * w) }];
}

function channelSums(context: BlockedContext, x: Value, channels: number, up: number, count: number): Value {
  const means = channelMeans(context, context.blocked(x));
  return context.op.mul(firstChannels(context.op, means, channels, up), count);
}
