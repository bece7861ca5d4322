import type { GradientContext } from '../../../src/contract.ts';
import type { Emitter, Value } from '../../../src/emit/index.ts';
import { scatterAdded } from './places.ts';
import { indicesTo, type Length, lengthOf, outputOf, range, rankOf, reshapeTo, zerosOf } from './shapes.ts';

/** An operator that maps one axis of length `length` linearly to another length. */
export interface AxisMap {
  readonly axis: number;
  readonly length: Length;
  /** The operator on the last axis of a float32 matrix. */
  readonly apply: (rows: Value) => Value;
  /** Whether every result is one of the elements. */
  readonly selects: boolean;
}

/** A matrix of more elements than this costs more than the scatter that does without it. */
const MATRIX_ELEMENTS = 1 << 20;

/**
 * The transposes of linear maps along several axes, applied to dy. What a map does to the identity is its matrix, and what a selection
 * does to 0, 1, 2, … are its indices: so the operator itself says how it pads or interpolates, sizes known or not.
 */
export function transposedMaps(context: GradientContext, maps: readonly AxisMap[]): Value {
  const { op, node, dy } = context;
  const y = outputOf(context, 0);
  const dims = range(rankOf(node, y)).map((i) => lengthOf(op, y, i));
  let dx = dy;
  for (const map of maps) {
    const isSmall = typeof map.length === 'number' && map.length * sizeOf(dims[map.axis]) <= MATRIX_ELEMENTS;
    const previous = [...dims];
    dims[map.axis] = map.length;
    dx = map.selects && !isSmall ? scattered(op, dx, map, dims) : multiplied(op, dx, map, previous, dims);
  }
  return dx;
}

function sizeOf(length: Length | undefined): number {
  return typeof length === 'number' ? length : Number.POSITIVE_INFINITY;
}

function scattered(op: Emitter, dy: Value, map: AxisMap, dims: readonly Length[]): Value {
  const ramp = op.unsqueeze(op.cast(indicesTo(op, map.length), 'float32'), [0]);
  const indices = op.cast(op.reshape(map.apply(ramp), [-1]), 'int64');
  return scatterAdded(op, dy, map.axis, indices, zerosOf(op, dy.dtype, dims));
}

function multiplied(op: Emitter, dy: Value, map: AxisMap, from: readonly Length[], to: readonly Length[]): Value {
  const matrix = op.cast(map.apply(identity(op, map.length)), dy.dtype ?? 'float32');
  const { axis } = map;
  if (axis === from.length - 1) return op.matMul(dy, op.transpose(matrix, [1, 0]));
  if (axis === from.length - 2) return op.matMul(matrix, dy);
  const tall = reshapeTo(op, dy, [...from.slice(0, axis + 1), -1]);
  return reshapeTo(op, op.matMul(matrix, tall), to);
}

function identity(op: Emitter, length: Length): Value {
  const indices = indicesTo(op, length);
  return op.cast(op.equal(op.unsqueeze(indices, [1]), op.unsqueeze(indices, [0])), 'float32');
}
