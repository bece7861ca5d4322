import type { Node, Value } from '../ir/graph.ts';
import type { Calls } from './types.ts';

/** The gradient that a value was given by hand: that of `source`, from the value's own. */
export interface OwnGradient {
  readonly source: Value;
  readonly gradient: (dy: Value) => Value;
}

const known = new WeakMap<Node, OwnGradient>();

/** What {@link withGradient} said of a node. */
export function ownGradientOf(node: Node): OwnGradient | undefined {
  return known.get(node);
}

/** An Identity that the backward walk leaves at once for `source`, on which `x` must depend. */
export function withGradient(base: Calls, x: Value, source: Value, gradient: OwnGradient['gradient']): Value {
  const value = base.call('Identity', [x], { shape: x.shape, label: 'own_gradient' });
  if (value.producer) known.set(value.producer, { source, gradient });
  return value;
}
