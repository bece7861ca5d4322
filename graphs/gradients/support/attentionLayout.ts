import type { GradientContext } from '../../../src/contract.ts';
import { intAttribute, type Pen, type Value } from '../../../src/emit/index.ts';
import { type Length, lengthOf, rankOf, reshapeTo } from '../../support/shapes.ts';

/** How [N, S, heads · D] or [N, heads, S, D] become matrices of a head, and back. */
export interface Layout {
  readonly queryHeads: Length;
  readonly keyHeads: Length;
  readonly queries: Length;
  readonly keys: Length;
  /** Of queries and keys, and of values. */
  readonly headSizes: readonly [Length, Length];
  /** [N, heads, S, D] */
  readonly split: (op: Pen, x: Value, heads: Length, length: Length) => Value;
  /** As the inputs and the output have it. */
  readonly join: (op: Pen, x: Value) => Value;
  /** [N, query heads, S, D] as [N, key heads, S · query heads / key heads, D]. */
  readonly grouped: (op: Pen, x: Value, last: Length) => Value;
  readonly ungrouped: (op: Pen, x: Value, last: Length) => Value;
}

export function layoutOf({ op, node, input }: GradientContext): Layout {
  const [q, k, v] = [input(0), input(1), input(2)];
  const isFlat = rankOf(node, q) === 3;
  const [length, batch] = [isFlat ? 1 : 2, lengthOf(op, q, 0)];
  const heads = (x: Value, name: string): Length => (isFlat ? intAttribute(node, name, 1) : lengthOf(op, x, 1));
  const [queryHeads, keyHeads] = [heads(q, 'q_num_heads'), heads(k, 'kv_num_heads')];
  const [queries, keys] = [lengthOf(op, q, length), lengthOf(op, k, length)];
  const sizeOf = (x: Value, count: Length): Length => {
    const width = lengthOf(op, x, isFlat ? 2 : 3);
    if (!isFlat) return width;
    return typeof width === 'number' && typeof count === 'number' ? width / count : op.div(width, count);
  };
  const headSizes = [sizeOf(q, queryHeads), sizeOf(v, keyHeads)] as const;
  const isShared = queryHeads !== keyHeads || typeof queryHeads !== 'number';
  const areKnown = [queryHeads, keyHeads, queries].every((each) => typeof each === 'number');
  const rows = areKnown ? (Number(queryHeads) / Number(keyHeads)) * Number(queries) : -1;
  return {
    queryHeads,
    keyHeads,
    queries,
    keys,
    headSizes,
    split: (pen, x, count, steps) =>
      isFlat ? pen.transpose(reshapeTo(pen, x, [batch, steps, count, sizeOf(x, count)]), [0, 2, 1, 3]) : x,
    join: (pen, x) => (isFlat ? merged(pen, pen.transpose(x, [0, 2, 1, 3])) : x),
    grouped: (pen, x, last) => (isShared ? reshapeTo(pen, x, [batch, keyHeads, rows, last]) : x),
    ungrouped: (pen, x, last) => (isShared ? reshapeTo(pen, x, [batch, queryHeads, queries, last]) : x),
  };
}

/** [N, S, heads, D] with the heads beside each other. */
function merged(op: Pen, x: Value): Value {
  const y = op.reshape(x, [0, 0, -1]);
  const [heads, size] = [x.shape?.[2], x.shape?.[3]];
  const width = typeof heads === 'number' && typeof size === 'number' ? heads * size : undefined;
  y.shape = x.shape && [x.shape[0], x.shape[1], width];
  return y;
}
