import type { GradientContext } from '../../../src/contract.ts';
import { intAttribute, type Value } from '../../../src/emit/index.ts';
import { minus, plus } from '../../support/arithmetic.ts';
import { axisOf, lengthOf, range, rankOf, reshapeTo } from '../../support/shapes.ts';
import { padded, placed, scatterAdded } from './places.ts';

/** A single row is surrounded by zeros; rows of constant indices without repeats are put at their places; others are summed into zeros. */
export function gatherGradient({ op, node, input, known, dy }: GradientContext): Value[] {
  const [x, indices] = [input(0), input(1)];
  const rank = rankOf(node, x);
  const axis = axisOf(node, x, intAttribute(node, 'axis', 0));
  const length = lengthOf(op, x, axis);
  const constants = known(1);
  const dims = rankOf(node, indices);
  const [only] = constants ?? [];
  if (dims === 0 && only !== undefined) {
    const before = only < 0 ? plus(op, length, only) : only;
    const after = only < 0 ? -1 - only : minus(op, length, only + 1);
    return [padded(op, op.unsqueeze(dy, [axis]), rank, [{ axis, before, after }])];
  }
  const rows =
    dims === 1
      ? dy
      : reshapeTo(
          op,
          dy,
          range(rank).map((i) => (i === axis ? -1 : lengthOf(op, x, i))),
        );
  const places = typeof length === 'number' && constants?.map((i) => (i < 0 ? i + length : i));
  if (typeof length === 'number' && places && new Set(places).size === places.length) {
    return [placed(op, rows, rank, axis, places, length)];
  }
  return [scatterAdded(op, rows, axis, dims === 1 ? indices : op.reshape(indices, [-1]), op.zerosLike(x))];
}
