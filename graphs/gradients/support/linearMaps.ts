import type { GradientContext } from '../../../src/contract.ts';
import { type LossgraftError, type Pen, unsupported, type Value } from '../../../src/emit/index.ts';
import {
  identityMatrix,
  indicesTo,
  type Length,
  lengthOf,
  outputOf,
  range,
  rankOf,
  reshapeTo,
  zerosOf,
} from '../../support/shapes.ts';
import { scatterAdded } from './places.ts';

/** An operator that maps one axis of length `length` linearly to another length. */
export interface AxisMap {
  readonly axis: number;
  readonly length: Length;
  /** The operator on the last axis of a float32 matrix. */
  readonly apply: (rows: Value) => Value;
  /** Whether every result is one of the elements. */
  readonly selects: boolean;
}

/** If elements are only moved, a product with a larger matrix costs more than moving them one by one. */
const SELECTION_ELEMENTS = 1 << 17;

/** 256 MiB: a larger matrix of weights is refused. */
const WEIGHT_ELEMENTS = 1 << 26;

/**
 * The transposes of linear maps along several axes, applied to dy. A map applied to the identity gives its matrix, and a selection
 * applied to 0, 1, 2, … gives its indices: so the operator itself shows how it pads or interpolates, even with unknown sizes.
 */
export function transposedMaps(context: GradientContext, maps: readonly AxisMap[]): Value {
  const { op, node, dy } = context;
  const y = outputOf(context, 0);
  const dims = range(rankOf(node, y)).map((i) => lengthOf(op, y, i));
  let dx = dy;
  for (const map of maps) {
    const elements = elementsOf(map.length, dims[map.axis]);
    if (!map.selects && elements > WEIGHT_ELEMENTS && elements < Number.POSITIVE_INFINITY) throw tooLong(context, map);
    const previous = [...dims];
    dims[map.axis] = map.length;
    const isScattered = map.selects && elements > SELECTION_ELEMENTS;
    dx = isScattered ? scattered(op, dx, map, dims) : multiplied(op, dx, map, previous, dims);
  }
  return dx;
}

/** Whether a matrix pays for a selection from an axis of length `from`. */
export function isSmallSelection(from: Length, to: Length): boolean {
  return elementsOf(from, to) <= SELECTION_ELEMENTS;
}

function elementsOf(from: Length, to: Length | undefined): number {
  return typeof from === 'number' && typeof to === 'number' ? from * to : Number.POSITIVE_INFINITY;
}

function tooLong({ node }: GradientContext, { axis, length }: AxisMap): LossgraftError {
  return unsupported(node, `at most ${WEIGHT_ELEMENTS} pairs of elements along an axis`, `axis ${axis} of ${length}`);
}

function scattered(op: Pen, dy: Value, map: AxisMap, dims: readonly Length[]): Value {
  const ramp = op.unsqueeze(op.cast(indicesTo(op, map.length), 'float32'), [0]);
  const indices = op.cast(op.reshape(map.apply(ramp), [-1]), 'int64');
  return scatterAdded(op, dy, map.axis, indices, zerosOf(op, dy.dtype, dims));
}

function multiplied(op: Pen, dy: Value, map: AxisMap, from: readonly Length[], to: readonly Length[]): Value {
  const matrix = op.cast(map.apply(identityMatrix(op, map.length)), dy.dtype ?? 'float32');
  const { axis } = map;
  if (axis === from.length - 1) return op.matMul(dy, op.transpose(matrix, [1, 0]));
  if (axis === from.length - 2) return op.matMul(matrix, dy);
  const tall = reshapeTo(op, dy, [...from.slice(0, axis + 1), -1]);
  return reshapeTo(op, op.matMul(matrix, tall), to);
}
