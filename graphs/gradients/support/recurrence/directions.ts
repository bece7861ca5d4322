import type { GradientContext } from '../../../../src/contract.ts';
import {
  intAttribute,
  type Node,
  type Pen,
  stringAttribute,
  unsupported,
  type Value,
} from '../../../../src/emit/index.ts';
import { indicesTo, type Length, lengthOf, reshapeTo, zerosOf } from '../../../support/shapes.ts';
import { activationsOf } from './activations.ts';
import type { CellKind } from './cell.ts';
import { backwardPass, type Direction, type Flow, forwardPass } from './direction.ts';

/**
 * Gradients of LSTM, GRU and RNN. The forward pass becomes a Scan that saves what the backward pass needs, and a training step runs it in
 * the operator's place; the backward pass is a Scan in the other direction. Products with the input, and gradients of weights, are one
 * product over all steps.
 */
export function recurrentGradients(context: GradientContext, kind: CellKind): (Value | undefined)[] {
  const { op, node, inputs, outputs, ahead, replaces, flow } = context;
  if (intAttribute(node, 'layout', 0) !== 0) throw unsupported(node, 'layout 0, as ONNX Runtime demands', 'layout 1');
  const needsY = outputs[0] !== undefined;
  const passes = ahead(() =>
    directionsOf(context, kind).map((direction) => ({ direction, forward: forwardPass(op, direction, needsY) })),
  );
  ahead(() => {
    const ys = passes.flatMap(({ forward }) => forward.y ?? []);
    if (ys.length > 0) replaces(0, together(op, ys, 1));
    for (let i = 0; i < kind.states; i++) {
      if (outputs[i + 1])
        replaces(
          i + 1,
          together(
            op,
            passes.map(({ forward }) => forward.states[i] as Value),
            0,
          ),
        );
    }
  });
  const flows = flowsOf(
    op,
    passes.map(({ direction }) => direction),
    flow,
    kind,
  );
  const gradients = passes.map(({ direction, forward }, d) => backwardPass(op, direction, forward, flows[d] as Flow));
  const stacked = (part: (gradient: (typeof gradients)[number]) => Value | undefined): Value | undefined => {
    const parts = gradients.flatMap((gradient) => part(gradient) ?? []);
    return parts.length === 0 ? undefined : together(op, parts, 0);
  };
  const dx = gradients.map(({ x }) => x).reduce((a, b) => op.add(a, b));
  const states = [0, 1].map((i) =>
    inputs[5 + i] && i < kind.states ? stacked(({ initial }) => initial[i]) : undefined,
  );
  const b = inputs[3] && stacked((gradient) => gradient.b);
  const p = inputs[7] && stacked((gradient) => gradient.peepholes);
  return [dx, stacked(({ w }) => w), stacked(({ r }) => r), b, undefined, ...states, p].slice(0, inputs.length);
}

/** Values of all directions on an axis of their own. */
function together(op: Pen, values: readonly Value[], axis: number): Value {
  const parts = values.map((value) => op.unsqueeze(value, [axis]));
  const [first] = parts;
  return parts.length === 1 && first ? first : op.concat(parts, axis);
}

/** One value of each direction, without the axis of directions. */
function apart(op: Pen, value: Value, axis: number, directions: number): Value[] {
  if (directions === 1) return [op.squeeze(value, [axis])];
  const piece = { dtype: value.dtype, shape: value.shape?.map((dim, i) => (i === axis ? 1 : dim)) };
  const parts = op.callAll('Split', [value, op.vector([1, 1])], [piece, piece], {
    attributes: { axis: { type: 'int', value: BigInt(axis) } },
  });
  return parts.map((part) => op.squeeze(part, [axis]));
}

function flowsOf(op: Pen, directions: readonly Direction[], flow: GradientContext['flow'], kind: CellKind): Flow[] {
  const count = directions.length;
  const split = (value: Value | undefined, axis: number) => value && apart(op, value, axis, count);
  const y = split(flow(0), 1);
  const states = Array.from({ length: kind.states }, (_, i) => split(flow(i + 1), 0));
  return directions.map(({ initial }, d) => ({
    y: y?.[d],
    states: initial.map((state, i) => states[i]?.[d] ?? op.zerosLike(state)),
  }));
}

/** The parts that all directions share. */
interface Shared {
  readonly hidden: number;
  readonly time: Length;
  readonly batch: Length;
  readonly x: Value;
  readonly mask: Value | undefined;
}

function directionsOf(context: GradientContext, kind: CellKind): Direction[] {
  const { op, node, input, inputs } = context;
  const reverse = reversals(node);
  const hidden = intAttribute(node, 'hidden_size', Number(input(2).shape?.[2]));
  const [time, batch] = [lengthOf(op, input(0), 0), lengthOf(op, input(0), 1)];
  const x = reshapeTo(op, input(0), [-1, lengthOf(op, input(0), 2)]);
  const shared = { hidden, time, batch, x, mask: maskOf(op, time, inputs[4]) };
  const activations = activationsOf(node, kind.activations, reverse.length);
  const each = (i: number, axis = 0) => {
    const value = inputs[i];
    return value && apart(op, value, axis, reverse.length);
  };
  const [w, r, b, h, c, p] = [each(1), each(2), each(3), each(5), kind.states > 1 ? each(6) : undefined, each(7)];
  return reverse.map((isReverse, d) => {
    const own = { w: w?.[d], r: r?.[d], b: b?.[d], p: p?.[d], states: [h?.[d], c?.[d]] };
    const count = kind.activations.length;
    return directionOf(op, node, kind, shared, own, isReverse, activations.slice(d * count, (d + 1) * count));
  });
}

interface Own {
  readonly w: Value | undefined;
  readonly r: Value | undefined;
  readonly b: Value | undefined;
  readonly p: Value | undefined;
  readonly states: readonly (Value | undefined)[];
}

function directionOf(
  op: Pen,
  node: Node,
  kind: CellKind,
  { hidden, time, batch, x, mask }: Shared,
  own: Own,
  reverse: boolean,
  activations: ReturnType<typeof activationsOf>,
): Direction {
  const rows = kind.blocks.map((gates) => gates * hidden);
  const inBlocks = (value: Value) => pieces(op, value, rows);
  if (!own.w || !own.r) throw unsupported(node, 'weights W and R', 'none');
  const [w, r] = [inBlocks(own.w), inBlocks(own.r)];
  const biases = own.b && pieces(op, own.b, [...rows, ...rows]);
  const rb = biases?.slice(rows.length);
  const given = w.map((weights, i) => {
    const [bias, other] = [biases?.[i], rb?.[i]];
    const sum = bias && other && !kind.ownBias(i) ? op.add(bias, other) : bias;
    const inputs = sum ? [x, weights, sum] : [x, weights];
    const z = op.call('Gemm', inputs, { attributes: { transB: { type: 'int', value: 1n } } });
    return reshapeTo(op, z, [time, batch, rows[i] ?? hidden]);
  });
  const dtype = x.dtype ?? 'float32';
  const initial = own.states.slice(0, kind.states).map((state) => state ?? zerosOf(op, dtype, [batch, hidden]));
  const peepholes = own.p && pieces(op, own.p, [hidden, hidden, hidden]);
  const cell = kind.cell(node, { hidden, r, rb, peepholes }, activations);
  return { cell, reverse, time, batch, x, given, w, initial, mask, hidden };
}

/** A value in pieces of this many rows. */
function pieces(op: Pen, value: Value, rows: readonly number[]): Value[] {
  if (rows.length === 1) return [value];
  const shapes = rows.map((count) => ({ dtype: value.dtype, shape: value.shape && [count, ...value.shape.slice(1)] }));
  return op.callAll('Split', [value, op.vector(rows)], shapes, { attributes: { axis: { type: 'int', value: 0n } } });
}

function reversals(node: Node): readonly boolean[] {
  const direction = stringAttribute(node, 'direction', 'forward');
  if (direction === 'bidirectional') return [false, true];
  return [direction === 'reverse'];
}

/** t < length of the sequence, as [T, N, 1]. */
function maskOf(op: Pen, time: Length, lengths: Value | undefined): Value | undefined {
  if (!lengths) return undefined;
  const steps = op.unsqueeze(indicesTo(op, time), [1, 2]);
  return op.less(steps, op.unsqueeze(op.cast(lengths, 'int64'), [0, 2]));
}
