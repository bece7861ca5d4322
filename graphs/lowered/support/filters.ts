import type { Emitter, Value } from '../../../src/emit/index.ts';
import { range } from '../../support/shapes.ts';

/** Static sizes of a filter: outputs, inputs per group, kernel. */
export type FilterDims = readonly [number, number, number, number];

export function roundUp(length: number, block: number): number {
  return Math.ceil(length / block) * block;
}

/** A value with zeros behind along its first axes, up to these lengths. */
export function paddedTo(op: Emitter, x: Value, from: readonly number[], to: readonly number[]): Value {
  const behind = to.map((length, i) => length - (from[i] ?? 0));
  if (behind.every((count) => count === 0)) return x;
  const rest = range((x.shape?.length ?? to.length) - to.length).map(() => 0);
  const before = [...to, ...rest].map(() => 0);
  return op.call('Pad', [x, op.vector([...before, ...behind, ...rest])]);
}

/** w [M, C, k, k] as the blocked Conv reads it: [M/b, C/b, k·k, b of C, b of M]. Two moves, each of which the runtime does fast. */
export function blockedFilter(op: Emitter, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const [up, cup, area] = [roundUp(m, block), roundUp(c, block), h * k];
  const whole = paddedTo(op, w, [m, c], [up, cup]);
  const last = op.transpose(op.reshape(whole, [up / block, block, cup * area]), [0, 2, 1]);
  const inner = op.reshape(last, [(up * cup) / (block * block), block, area, block]);
  return op.reshape(area === 1 ? inner : op.transpose(inner, [0, 2, 1, 3]), [up, cup, h, k]);
}

/** The filter of the input's gradient, w turned by 180° with inputs and outputs swapped: [C/b, M/b, k·k, b of M, b of C]. */
export function adjointFilter(op: Emitter, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const [up, cup, area] = [roundUp(m, block), roundUp(c, block), h * k];
  const whole = op.reshape(paddedTo(op, w, [m, c], [up, cup]), [(up * cup) / block, block, area]);
  // Turned in between: the runtime would make one slow transposition of two fast ones that follow each other.
  const last = turned(op, op.transpose(whole, [0, 2, 1]), 1, area);
  const inner = op.reshape(last, [up / block, block, cup / block, area, block]);
  return op.reshape(op.transpose(inner, [2, 0, 3, 1, 4]), [cup, up, h, k]);
}

/** The filter of a depthwise Conv, w [C, 1, k, k] as [C/b, k·k, b]. */
export function depthwiseFilter(op: Emitter, w: Value, [c, , h, k]: FilterDims, block: number, turn = false): Value {
  const [up, area] = [roundUp(c, block), h * k];
  const whole = op.reshape(paddedTo(op, w, [c], [up]), [up / block, block, area]);
  const last = op.transpose(whole, [0, 2, 1]);
  return op.reshape(turn ? turned(op, last, 1, area) : last, [up, 1, h, k]);
}

/** The filter of a Conv that reads few channels as they are: [M/b, C·k·k, b]. */
export function firstFilter(op: Emitter, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const up = roundUp(m, block);
  const whole = op.reshape(paddedTo(op, w, [m], [up]), [up / block, block, c * h * k]);
  return op.reshape(op.transpose(whole, [0, 2, 1]), [up, c, h, k]);
}

function turned(op: Emitter, x: Value, axis: number, length: number): Value {
  return length === 1 ? x : op.gather(x, op.vector(range(length).reverse()), axis);
}

/** A vector [C] with zeros behind. */
export function paddedVector(op: Emitter, vector: Value, channels: number, block: number): Value {
  return paddedTo(op, op.reshape(vector, [channels]), [channels], [roundUp(channels, block)]);
}
