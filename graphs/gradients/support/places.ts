import type { Pen, Value } from '../../../src/emit/index.ts';
import { elementOf, indicesTo, type Length, lengthOf, lengths, range } from '../../support/shapes.ts';

/** Zeros before and after the elements of one axis. */
export interface Margin {
  readonly axis: number;
  readonly before: Length;
  readonly after: Length;
}

/** `x`, of that rank, surrounded by zeros. */
export function padded(op: Pen, x: Value, rank: number, margins: readonly Margin[]): Value {
  const needed = margins.filter(({ before, after }) => before !== 0 || after !== 0);
  if (needed.length === 0) return x;
  const begins = new Array<Length>(rank).fill(0);
  const ends = new Array<Length>(rank).fill(0);
  for (const { axis, before, after } of needed) [begins[axis], ends[axis]] = [before, after];
  return op.call('Pad', [x, lengths(op, [...begins, ...ends])]);
}

/**
 * The transpose of a gather along an axis without repeated indices: row `indices[k]` of the result is row k of `x`, the others are zero.
 * It is itself a gather from `x` with a row of zeros at its end, because gathers run in parallel and scatters do not.
 */
export function placed(
  op: Pen,
  x: Value,
  rank: number,
  axis: number,
  indices: readonly number[],
  length: number,
): Value {
  const source = new Array<number>(length).fill(indices.length);
  for (const [k, at] of indices.entries()) source[at] = k;
  const isFull = !source.includes(indices.length);
  const rows = isFull ? x : padded(op, x, rank, [{ axis, before: 0, after: 1 }]);
  return op.gather(rows, op.vector(source), axis);
}

/** The same, with indices and length known only at run time. */
export function placedAtRunTime(op: Pen, x: Value, rank: number, axis: number, indices: Value, length: Value): Value {
  const count = lengthOf(op, indices, 0);
  const nowhere = op.expand(lengths(op, [count]), length);
  const source = op.scatterElements(nowhere, indices, indicesTo(op, count), 0);
  return op.gather(padded(op, x, rank, [{ axis, before: 0, after: 1 }]), source, axis);
}

/**
 * The transpose of a gather along an axis by a vector of indices: rows of `x` are summed into `zeros`. Elementwise, because ONNX
 * Runtime's ScatterND adds in parallel and loses sums for repeated indices.
 */
export function scatterAdded(op: Pen, x: Value, axis: number, indices: Value, zeros: Value): Value {
  const others = range(zeros.shape?.length ?? 1).filter((i) => i !== axis);
  const column = others.length === 0 ? indices : op.unsqueeze(indices, others);
  const at = others.length === 0 ? column : op.call('Expand', [column, op.dimsOf(x)], { shape: x.shape });
  return op.scatterElements(zeros, at, x, axis, 'add');
}

/** A start or an end of Slice, counted from the front and within 0 … length. */
export function clamped(op: Pen, at: Length, length: Length): Length {
  if (typeof at === 'number') {
    if (typeof length === 'number') return Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    if (at === 0) return 0;
    return at < 0 ? op.max(op.add(length, at), 0) : op.min(length, at);
  }
  const fromFront = op.add(at, op.mul(op.cast(op.less(at, 0), 'int64'), asValue(op, length)));
  return op.min(op.max(fromFront, 0), asValue(op, length));
}

function asValue(op: Pen, length: Length): Value {
  return typeof length === 'number' ? op.vector([length]) : length;
}

/** Element `i` of a vector of starts, ends or steps: a number if constant. */
export function element(op: Pen, vector: Value, known: readonly number[] | undefined, i: number): Length {
  const number = known?.[i];
  if (number !== undefined) return number;
  const value = elementOf(op, vector, i);
  return value.dtype === 'int64' ? value : op.cast(value, 'int64');
}
