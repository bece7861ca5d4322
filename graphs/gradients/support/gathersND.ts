import type { GradientContext } from '../../../src/contract.ts';
import { intAttribute, type Node, type Pen, unsupported, type Value } from '../../../src/emit/index.ts';
import { times } from '../../support/arithmetic.ts';
import { indicesTo, type Length, lengthOf, lengths, range, rankOf, reshapeTo, zerosOf } from '../../support/shapes.ts';
import { scatterAdded } from './places.ts';

/** The tuples become indices of the rows of x as a matrix, into which the rows of dy are summed. */
export function gatherNDGradient({ op, node, input, dy }: GradientContext): Value[] {
  const [x, indices] = [input(0), input(1)];
  const batch = intAttribute(node, 'batch_dims', 0);
  const dims = range(rankOf(node, x)).map((i) => lengthOf(op, x, i));
  const depth = tupleLength(node, indices);
  const [outer, indexed, inner] = [dims.slice(0, batch), dims.slice(batch, batch + depth), dims.slice(batch + depth)];
  const row = product(op, inner);
  const zeros = zerosOf(op, x.dtype, [product(op, [...outer, ...indexed]), row]);
  const at = withinBatch(op, rowIndices(op, indices, indexed), product(op, outer), product(op, indexed));
  const rows = reshapeTo(op, dy, [-1, row]);
  return [op.reshapeLike(scatterAdded(op, rows, 0, at, zeros), x)];
}

function tupleLength(node: Node, indices: Value): number {
  const depth = indices.shape?.at(-1);
  if (typeof depth === 'number') return depth;
  throw unsupported(node, 'index tuples of a known length', 'an unknown length');
}

function product(op: Pen, dims: readonly Length[]): Length {
  return dims.reduce((a, b) => times(op, a, b), 1);
}

/** i₀d₁d₂… + i₁d₂… + …; a negative i counts from the end. */
function rowIndices(op: Pen, indices: Value, dims: readonly Length[]): Value {
  const strides = lengths(
    op,
    dims.map((_, i) => product(op, dims.slice(i + 1))),
  );
  const fromFront = op.add(indices, op.mul(op.cast(op.less(indices, 0), 'int64'), lengths(op, dims)));
  return op.reduceSum(op.mul(fromFront, strides), [-1]);
}

/** Each batch's rows follow those of the batch before. */
function withinBatch(op: Pen, at: Value, batches: Length, rows: Length): Value {
  if (batches === 1) return op.reshape(at, [-1]);
  const first = op.mul(indicesTo(op, batches), rows);
  return op.reshape(op.add(reshapeTo(op, at, [batches, -1]), op.unsqueeze(first, [1])), [-1]);
}
