import { int, type Pen, type Value } from '../../../src/emit/index.ts';
import { range } from '../../support/shapes.ts';
import { BLOCKED } from './calls.ts';

/** Static sizes of a filter: outputs, inputs per group, kernel. */
export type FilterDims = readonly [number, number, number, number];

export function roundUp(length: number, block: number): number {
  return Math.ceil(length / block) * block;
}

/** A value padded with zeros at the end of its first axes, up to these lengths. */
export function paddedTo(op: Pen, x: Value, from: readonly number[], to: readonly number[]): Value {
  const behind = to.map((length, i) => length - (from[i] ?? 0));
  if (behind.every((count) => count === 0)) return x;
  const rest = range((x.shape?.length ?? to.length) - to.length).map(() => 0);
  const before = [...to, ...rest].map(() => 0);
  return op.call('Pad', [x, op.vector([...before, ...behind, ...rest])]);
}

/** w [M, C, k, k] as the blocked Conv reads it: [M/b, C/b, k·k, b of C, b of M]. */
export function blockedFilter(op: Pen, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const [up, cup, area] = [roundUp(m, block), roundUp(c, block), h * k];
  const last = rowsLast(op, paddedTo(op, w, [m, c], [up, cup]), [up / block, block, cup * area]);
  const inner = area === 1 ? last : runsOut(op, last, [(up * cup) / (block * block), block, area * block]);
  return op.reshape(inner, [up, cup, h, k]);
}

/** The taps of a kernel that a filter takes along each axis, in the filter's order. */
export type Taps = readonly [readonly number[], readonly number[]];

/** w with its outputs side by side, [M·C/b, k·k, b of C]: the filters of an input's gradient are gathered from this. */
export function adjointRows(op: Pen, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const [up, cup, area] = [roundUp(m, block), roundUp(c, block), h * k];
  const whole = paddedTo(op, w, [m, c], [up, cup]);
  const last = area === 1 ? whole : rowsLast(op, whole, [(up * cup) / block, block, area]);
  return op.reshape(last, [(up * cup * area) / block, block]);
}

/** From such rows, the filter with inputs and outputs swapped and with these taps: [C/b, M/b, taps, b of M, b of C]. It gathers runs of b. */
export function adjointFilter(op: Pen, rows: Value, [m, c, , k]: FilterDims, taps: Taps, block: number): Value {
  const [outer, inner] = [roundUp(c, block) / block, roundUp(m, block) / block];
  const [high, wide] = taps;
  const area = Number(rows.shape?.[0]) / (inner * block * outer);
  const places = new Int32Array(outer * inner * high.length * wide.length * block);
  let at = 0;
  for (let from = 0; from < outer; from++)
    for (let to = 0; to < inner; to++)
      for (const i of high)
        for (const j of wide)
          for (let row = 0; row < block; row++) places[at++] = ((to * block + row) * outer + from) * area + i * k + j;
  const indices = op.constant({ dtype: 'int32', dims: [places.length], data: places });
  const filter = op.gather(rows, indices, 0);
  return op.reshape(filter, [outer * block, inner * block, high.length, wide.length]);
}

/** [n, b, l] as [n, l, b] by reordering an image, which uses all threads; a Transpose uses one. */
function rowsLast(op: Pen, x: Value, [n, block, length]: readonly [number, number, number]): Value {
  const image = op.reshape(x, [n, block, length, 1]);
  return op.call('ReorderInput', [image], { domain: BLOCKED, shape: [n, block, length, 1] });
}

/** [n, p, l·b] as [n, l, p, b]: the same for an image with channels last. */
function runsOut(op: Pen, x: Value, [n, places, length]: readonly [number, number, number]): Value {
  const attributes = { channels_last: int(1) };
  const image = op.reshape(x, [n, places, 1, length]);
  return op.call('ReorderInput', [image], { domain: BLOCKED, attributes, shape: [n, length, places, 1] });
}

/** The filter of a depthwise Conv, w [C, 1, k, k] as [C/b, taps, b]; without `taps` all taps in order. */
export function depthwiseFilter(op: Pen, w: Value, [c, , h, k]: FilterDims, block: number, taps?: Taps): Value {
  const [up, area] = [roundUp(c, block), h * k];
  const whole = op.reshape(paddedTo(op, w, [c], [up]), [up / block, block, area]);
  const last = op.transpose(whole, [0, 2, 1]);
  const [high, wide] = taps ?? [range(h), range(k)];
  const places = high.flatMap((i) => wide.map((j) => i * k + j));
  const taken = taps && area > 1 ? op.gather(last, op.vector(places), 1) : last;
  return op.reshape(taken, [up, 1, high.length, wide.length]);
}

/** The filter of a Conv that reads a few plain channels: [M/b, C·k·k, b]. */
export function firstFilter(op: Pen, w: Value, [m, c, h, k]: FilterDims, block: number): Value {
  const up = roundUp(m, block);
  const whole = op.reshape(paddedTo(op, w, [m], [up]), [up / block, block, c * h * k]);
  return op.reshape(op.transpose(whole, [0, 2, 1]), [up, c, h, k]);
}

/** A vector [C], padded with zeros. */
export function paddedVector(op: Pen, vector: Value, channels: number, block: number): Value {
  return paddedTo(op, op.reshape(vector, [channels]), [channels], [roundUp(channels, block)]);
}
