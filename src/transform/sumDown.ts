import { type Emitter, int, sameShape, type Value } from '../emit/index.ts';
import type { Dim } from '../tensor.ts';

/**
 * Sums a gradient over the axes along which `target` was broadcast, so that it has target's shape. Dimensions not known to agree are
 * compared at run time, unless the operator cannot broadcast.
 */
export function sumDown(op: Emitter, gradient: Value, target: Value, canBroadcast = true): Value {
  const { shape: from } = gradient;
  const { shape: to } = target;
  if (from === undefined || to === undefined || sameShape(from, to)) return gradient;
  const lead = from.length - to.length;
  if (lead < 0) return op.reshape(gradient, op.dimsOf(target));
  const broadcast: number[] = [];
  let isAmbiguous = false;
  for (const [i, dim] of from.entries()) {
    if (i < lead || (to[i - lead] === 1 && dim !== 1)) broadcast.push(i);
    else if (canBroadcast && mayBroadcast(to[i - lead], dim)) isAmbiguous = true;
  }
  if (isAmbiguous) return sumAtRunTime(op, gradient, target, lead);
  if (broadcast.length === 0) return gradient;
  if (broadcast.length === lead) return op.reduceSum(gradient, broadcast);
  const summed = op.reduceSum(gradient, broadcast, true);
  return lead === 0 ? summed : op.squeeze(summed, range(lead));
}

/** A dimension with only a name, or an unknown one, may turn out to be a broadcast 1. */
function mayBroadcast(to: Dim, from: Dim): boolean {
  if (typeof to === 'number' || from === 1) return false;
  return to === undefined || to !== from;
}

/** The axes along which the two differ are found at run time. */
function sumAtRunTime(op: Emitter, gradient: Value, target: Value, lead: number): Value {
  const summed = lead === 0 ? gradient : op.reduceSum(gradient, range(lead));
  const shape = op.shapeOf(target);
  const differs = op.cast(op.not(op.equal(op.shapeOf(summed), shape)), 'int64');
  const axes = op.reshape(op.call('NonZero', [differs], { dtype: 'int64' }), [-1]);
  return op.call('ReduceSum', [summed, axes], { attributes: { keepdims: int(1), noop_with_empty_axes: int(1) } });
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
