import type { GradientContext } from '../../../src/contract.ts';
import { int, intAttribute, type Pen, type Value } from '../../../src/emit/index.ts';
import { lengthOf, rankOf, reshapeTo } from '../../support/shapes.ts';
import { scatterAdded } from './places.ts';

/** Pairs (a, b) become (a cos − b sin, a sin + b cos): dx is dy rotated by the negative angle, dcos = a da + b db, dsin = a db − b da. */
export function rotaryGradients(context: GradientContext): (Value | undefined)[] {
  const { op, node, inputs, input, dy, wants } = context;
  const [x, cos, sin, places] = [input(0), input(1), input(2), inputs[3]];
  const dx = op.call('RotaryEmbedding', [dy, cos, op.neg(sin), ...(places ? [places] : [])], {
    attributes: {
      interleaved: int(intAttribute(node, 'interleaved', 0)),
      num_heads: int(intAttribute(node, 'num_heads', 0)),
      rotary_embedding_dim: int(intAttribute(node, 'rotary_embedding_dim', 0)),
    },
    shape: x.shape,
  });
  if (!wants(1) && !wants(2)) return [dx];
  const [a, b] = pairs(context, x);
  const [da, db] = pairs(context, dy);
  const dcos = op.add(op.mul(a, da), op.mul(b, db));
  const dsin = op.sub(op.mul(a, db), op.mul(b, da));
  return [dx, cacheGradient(context, cos, dcos), cacheGradient(context, sin, dsin)];
}

/** The two elements rotated together, [N, S, heads, pairs] each. */
function pairs({ op, node, input }: GradientContext, given: Value): readonly [Value, Value] {
  const x = inRows(op, given, rankOf(node, input(0)) === 3 ? intAttribute(node, 'num_heads', 1) : undefined);
  const count = lengthOf(op, input(1), rankOf(node, input(1)) - 1);
  const half = typeof count === 'number' ? op.vector([count]) : count;
  const part = (starts: Value, ends: Value, axis: number, of: Value): Value =>
    op.call('Slice', [of, starts, ends, op.vector([axis])]);
  const [zero, both] = [op.vector([0]), op.add(half, half)];
  if (intAttribute(node, 'interleaved', 0) === 0) return [part(zero, half, 3, x), part(half, both, 3, x)];
  const turned = op.reshape(part(zero, both, 3, x), op.concat([op.vector([0, 0, 0]), half, op.vector([2])], 0));
  const only = (i: number): Value => op.gather(turned, op.scalar(i, 'int64'), 4);
  return [only(0), only(1)];
}

/** [N, S, heads, D], from heads beside each other or from [N, heads, S, D]. */
function inRows(op: Pen, x: Value, heads: number | undefined): Value {
  return heads === undefined ? op.transpose(x, [0, 2, 1, 3]) : op.reshape(x, [0, 0, heads, -1]);
}

/** Summed over the heads, and over the positions that read the same row of the cache. */
function cacheGradient({ op, inputs }: GradientContext, cache: Value, flow: Value): Value {
  const perPlace = op.reduceSum(flow, [2]);
  const places = inputs[3];
  if (!places) return perPlace;
  const rows = reshapeTo(op, perPlace, [-1, lengthOf(op, cache, 1)]);
  return scatterAdded(op, rows, 0, op.reshape(places, [-1]), op.zerosLike(cache));
}
