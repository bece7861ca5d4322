import type { Pen, Value } from '../../../../src/emit/index.ts';
import { type Length, reshapeTo } from '../../../support/shapes.ts';
import type { BlockGradient, Cell } from './cell.ts';

/** One direction of a recurrent node: sequences [T, N, …], states [N, H], weights without the axis of directions. */
export interface Direction {
  readonly cell: Cell;
  readonly reverse: boolean;
  readonly time: Length;
  readonly batch: Length;
  /** [T·N, I] */
  readonly x: Value;
  /** The input's products for each block, [T, N, rows]. */
  readonly given: readonly Value[];
  /** Weights of the input by block, [rows, I]. */
  readonly w: readonly Value[];
  readonly initial: readonly Value[];
  /** bool [T, N, 1]: whether a step belongs to the sequence; `undefined` if all do. */
  readonly mask: Value | undefined;
  readonly hidden: number;
}

export interface ForwardPass {
  /** [T, N, H]; zero after the end of a sequence. */
  readonly y: Value | undefined;
  readonly states: readonly Value[];
  /** [T·N, …] each. */
  readonly kept: readonly Value[];
}

/** Steps forward, and saves what the way back needs. */
export function forwardPass(op: Pen, direction: Direction, needsY: boolean): ForwardPass {
  const { cell, reverse, mask, given, initial } = direction;
  const sequences = mask ? [...given, mask] : given;
  const { states, outputs } = op.scan(
    initial,
    sequences,
    (pen, before, elements) => {
      const step = cell.forward(pen, elements.slice(0, given.length), before);
      const isIn = mask && elements.at(-1);
      const [h] = step.states;
      const y = isIn && h ? pen.where(isIn, h, 0) : h;
      const next = isIn ? step.states.map((state, i) => pen.where(isIn, state, before[i] ?? state)) : step.states;
      return { states: next, outputs: [...(needsY && y ? [y] : []), ...step.kept] };
    },
    { reverse },
  );
  const [y] = outputs;
  return {
    y: needsY ? y : undefined,
    states,
    kept: outputs.slice(needsY ? 1 : 0).map((value) => flat(op, value, direction.hidden)),
  };
}

/** The gradients of the outputs. */
export interface Flow {
  /** [T, N, H] */
  readonly y: Value | undefined;
  readonly states: readonly Value[];
}

export interface DirectionGradients {
  readonly x: Value;
  readonly w: Value;
  readonly r: Value;
  readonly b: Value;
  readonly initial: readonly Value[];
  readonly peepholes: Value | undefined;
}

/** Steps back, with all products outside the recurrence over all steps at once. */
export function backwardPass(op: Pen, direction: Direction, { kept }: ForwardPass, flow: Flow): DirectionGradients {
  const { cell } = direction;
  const { deltas, states } = stepsBack(op, direction, kept, flow);
  const blocks = cell.blocks(op, deltas, kept);
  const stacked = (part: (block: BlockGradient) => Value): Value => below(op, blocks.map(part));
  const sums = (value: Value): Value => op.reduceSum(value, [0]);
  return {
    x: inputGradient(op, direction, blocks),
    w: stacked(({ x }) => op.gemm(x, direction.x, { transA: true })),
    r: stacked(({ h, from }) => op.gemm(h, from, { transA: true })),
    b: below(op, [...blocks.map(({ x }) => sums(x)), ...blocks.map(({ h }) => sums(h))]),
    initial: states,
    peepholes: cell.peepholes?.(op, deltas, kept),
  };
}

function stepsBack(op: Pen, direction: Direction, kept: readonly Value[], flow: Flow) {
  const { cell, reverse, mask, time, batch } = direction;
  const factors = cell.factors(op, kept).map((factor) => {
    const sequence = reshapeTo(op, factor, [time, batch, Number(factor.shape?.[1])]);
    return sequence;
  });
  const { y } = flow;
  const optional = [...(y ? [y] : []), ...(mask ? [mask] : [])];
  const { states, outputs } = op.scan(
    flow.states,
    [...optional, ...factors],
    (pen, before, elements) => {
      const [first] = elements;
      const [dh, ...others] = before;
      const reached = y && first && dh ? pen.add(dh, first) : dh;
      const step = cell.backward(pen, reached ? [reached, ...others] : before, elements.slice(optional.length));
      const isIn = mask && elements[optional.length - 1];
      if (!isIn) return { states: step.states, outputs: step.deltas };
      const held = step.states.map((state, i) => pen.where(isIn, state, before[i] ?? state));
      return { states: held, outputs: step.deltas.map((delta) => pen.where(isIn, delta, 0)) };
    },
    { reverse: !reverse },
  );
  const deltas = outputs.map((delta) => flat(op, delta, Number(delta.shape?.[2])));
  return { states, deltas };
}

/** [T, N, I] */
function inputGradient(op: Pen, { w, time, batch, x }: Direction, blocks: readonly BlockGradient[]): Value {
  const [first, ...rest] = blocks.map((block, i) => op.matMul(block.x, w[i] ?? block.x));
  const sum = rest.reduce<Value | undefined>((a, b) => (a ? op.add(a, b) : b), first) ?? x;
  const width = x.shape?.[1];
  return typeof width === 'number'
    ? reshapeTo(op, sum, [time, batch, width])
    : op.reshape(sum, op.concat([lengthsOf(op, time, batch), op.vector([-1])], 0));
}

function lengthsOf(op: Pen, time: Length, batch: Length): Value {
  const one = (length: Length): Value => (typeof length === 'number' ? op.vector([length]) : length);
  return op.concat([one(time), one(batch)], 0);
}

function below(op: Pen, parts: readonly Value[]): Value {
  const [first] = parts;
  return parts.length === 1 && first ? first : op.concat(parts, 0);
}

function flat(op: Pen, sequence: Value, width: number): Value {
  return op.reshape(sequence, [-1, width]);
}
