import { int, ints } from '../ir/attributes.ts';
import type { Value } from '../ir/graph.ts';
import type { Dim, Shape } from '../tensor.ts';
import { broadcastShapes } from './broadcast.ts';
import {
  BINARY,
  type Binaries,
  COMPARISON,
  LOGIC,
  type Operand,
  REDUCTION,
  type Reductions,
  UNARY,
  type Unaries,
} from './tables.ts';
import type { Calls, Emitter } from './types.ts';

/** The methods that the tables list. */
export function tableForms(base: Calls, opset: number): Unaries & Binaries & Reductions {
  return {
    ...mapValues(UNARY, (op) => (x: Value) => base.call(op, [x], { shape: x.shape })),
    ...mapValues({ ...BINARY, ...LOGIC, ...COMPARISON }, (op) => binary(base, op)),
    ...mapValues(REDUCTION, (op) => reduction(base, op, opset)),
  };
}

function mapValues<K extends string, V, R>(table: Readonly<Record<K, V>>, f: (value: V) => R): Record<K, R> {
  const entries = Object.entries<V>(table).map(([key, value]) => [key, f(value)]);
  return Object.fromEntries(entries) as Record<K, R>;
}

/** Both operands as values; a number takes the other's element type. */
export function operands(base: Calls, a: Operand, b: Operand): [Value, Value] {
  const dtype =
    (typeof a === 'number' ? undefined : a.dtype) ?? (typeof b === 'number' ? undefined : b.dtype) ?? 'float32';
  const value = (x: Operand) => (typeof x === 'number' ? base.scalar(x, dtype) : x);
  return [value(a), value(b)];
}

function binary(base: Calls, op: string): (a: Operand, b: Operand) => Value {
  const isBoolean = op in Object.fromEntries(Object.values(COMPARISON).map((name) => [name, true]));
  return (a, b) => {
    const [left, right] = operands(base, a, b);
    const shape = broadcastShapes(left.shape, right.shape);
    return base.call(op, [left, right], { shape, dtype: isBoolean ? 'bool' : left.dtype });
  };
}

/** Axes became an input of ReduceSum at opset 13 and of the other reductions at 18. */
function reduction(base: Calls, op: string, opset: number): Emitter['reduceSum'] {
  const axesAreInput = opset >= (op === 'ReduceSum' ? 13 : 18);
  return (x, axes, keepDims = false) => {
    const shape = reducedShape(x.shape, axes, keepDims);
    const keepdims = int(keepDims ? 1 : 0);
    if (axes === undefined) return base.call(op, [x], { shape, attributes: { keepdims } });
    if (axesAreInput) return base.call(op, [x, base.vector(axes)], { shape, attributes: { keepdims } });
    return base.call(op, [x], { shape, attributes: { axes: ints(axes), keepdims } });
  };
}

export function reducedShape(shape: Shape, axes: readonly number[] | undefined, keepDims: boolean): Shape {
  if (shape === undefined) return axes === undefined && !keepDims ? [] : undefined;
  const reduced = new Set(
    axes === undefined ? shape.keys() : axes.map((axis) => (axis < 0 ? axis + shape.length : axis)),
  );
  const dims: Dim[] = shape.map((dim, i) => (reduced.has(i) ? 1 : dim));
  return keepDims ? dims : dims.filter((_, i) => !reduced.has(i));
}
