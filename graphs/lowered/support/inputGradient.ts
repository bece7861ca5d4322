import type { BlockedContext } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { range } from '../../support/shapes.ts';
import { adjointFilter, adjointRows, depthwiseFilter, roundUp, type Taps } from './filters.ts';
import { type ConvPlan, convolve } from './plan.ts';

/** Along one axis, the elements s·i + a of x: the taps that meet them, and how a Conv of dy with these taps slides. */
interface Phase {
  readonly taps: readonly number[];
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

/**
 * dx[s·i + a] = Σ over the taps k with s | a + before − k·d of dy[i + (a + before − k·d)/s]·w[k]: a Conv at stride 1 for each a. Their
 * results are interleaved. `undefined` if one of them has nothing to sum, or would need negative padding.
 */
export function inputGradient(context: BlockedContext, plan: ConvPlan, dy: Value): Value | undefined {
  const { kernel, strides, before: pads } = plan.sliding;
  if (kernel.every((k, i) => k === 1 && pads[i] === 0) && strides.some((s) => s > 1)) return stuffed(context, plan, dy);
  const [high, wide] = [phasesOf(plan, 0), phasesOf(plan, 1)];
  if (!high || !wide) return undefined;
  const { op } = context;
  const filterOf = filters(context, plan);
  const [n, c] = plan.from;
  const counts = [count(plan, 0), count(plan, 1)];
  const back = { ...plan, to: [n ?? 1, c ?? 1, ...counts] };
  const gradient = context.blocked(dy);
  const rows = high.map((row) =>
    wide.map((column) => {
      const sliding = {
        kernel: [row.taps.length, column.taps.length],
        strides: [1, 1],
        dilations: [row.dilation, column.dilation],
        before: [row.before, column.before],
        after: [row.after, column.after],
      };
      return convolve(context, [gradient, filterOf([row.taps, column.taps])], back, sliding);
    }),
  );
  const [first] = rows[0] ?? [];
  return rows.length * wide.length === 1 ? first : between(op, rows, plan, context.block);
}

/** For a kernel of one element: its Conv at stride 1, with zeros between the results. */
function stuffed(context: BlockedContext, plan: ConvPlan, dy: Value): Value {
  const { op, block } = context;
  const [n = 1, c = 1, height = 1, width = 1] = plan.from;
  const [h, w] = [count(plan, 0), count(plan, 1)];
  const [s = 1, t = 1] = plan.sliding.strides;
  const sliding = { ...plan.sliding, strides: [1, 1], after: [0, 0] };
  const filter = filters(context, plan)([[0], [0]]);
  const own = convolve(context, [context.blocked(dy), filter], { ...plan, to: [n, c, h, w] }, sliding);
  const apart = op.reshape(own, [-1, 1, w, block]);
  const wide = op.call('Pad', [apart, op.vector([0, 0, 0, 0, 0, s - 1, 0, (t - 1) * block])]);
  return cropped(op, wide, [h * s, w * t], [n, roundUp(c, block), height, width], block);
}

/** The adjoint filters; their common part is written once. */
function filters({ op, block }: BlockedContext, { w, filter, isDepthwise }: ConvPlan): (taps: Taps) => Value {
  if (isDepthwise) return (taps) => depthwiseFilter(op, w, filter, block, taps);
  const rows = adjointRows(op, w, filter, block);
  return (taps) => adjointFilter(op, rows, filter, taps, block);
}

function count({ from, sliding }: ConvPlan, i: number): number {
  return Math.ceil((from[i + 2] ?? 1) / (sliding.strides[i] ?? 1));
}

function phasesOf(plan: ConvPlan, i: number): Phase[] | undefined {
  const { kernel, strides, dilations, before } = plan.sliding;
  const [taps, stride, dilation, pad] = [kernel[i] ?? 1, strides[i] ?? 1, dilations[i] ?? 1, before[i] ?? 0];
  const last = count(plan, i) - (plan.to[i + 2] ?? 1);
  const phases = range(stride).map((a): Phase => {
    const place = (k: number): number => (a + pad - k * dilation) / stride;
    const own = range(taps)
      .filter((k) => Number.isInteger(place(k)))
      .reverse();
    const [lowest = 0, next = lowest + 1] = own.map(place);
    return { taps: own, dilation: next - lowest, before: -lowest, after: place(own.at(-1) ?? 0) + last };
  });
  const hasAll = phases.every((phase) => phase.taps.length > 0 && phase.before >= 0 && phase.after >= 0);
  return hasAll ? phases : undefined;
}

/** Blocks [N·C/b, h, w, b] of all phases, interleaved as [N, C↑, H, W] and cropped to x. */
function between(op: Pen, phases: readonly (readonly Value[])[], plan: ConvPlan, block: number): Value {
  const [n = 1, c = 1, height = 1, width = 1] = plan.from;
  const [h, w] = [count(plan, 0), count(plan, 1)];
  const rows = phases.map((columns) => {
    const beside = op.concat(
      columns.map((column) => op.reshape(column, [-1, w, block])),
      2,
    );
    return op.reshape(beside, [-1, 1, w * columns.length * block]);
  });
  const size = [h * phases.length, w * (phases[0]?.length ?? 1)] as const;
  return cropped(op, op.concat(rows, 1), size, [n, roundUp(c, block), height, width], block);
}

/** [N, C↑, H, W] from rows of blocks that may reach further. */
function cropped(
  op: Pen,
  rows: Value,
  [h, w]: readonly [number, number],
  to: readonly [number, number, number, number],
  block: number,
): Value {
  const [, , height, width] = to;
  if (h === height && w === width) return op.reshape(rows, to);
  const whole = op.reshape(rows, [-1, h, w * block]);
  return op.reshape(op.slice(whole, { axes: [1, 2], starts: [0, 0], ends: [height, width * block] }), to);
}
