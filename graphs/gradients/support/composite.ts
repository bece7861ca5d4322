import { COMPOSITE_DOMAIN } from '../../../src/contract.ts';
import type { int, Node, Pen, Value } from '../../../src/emit/index.ts';

/** Attributes for the emitter. */
export type Attributes = Readonly<Record<string, ReturnType<typeof int>>>;

/** A composite with one output, with the type and shape of `like`. */
export function composite(
  op: Pen,
  name: string,
  inputs: readonly (Value | undefined)[],
  like: Value,
  attributes: Attributes = {},
): Value {
  return op.call(name, inputs, { domain: COMPOSITE_DOMAIN, attributes, dtype: like.dtype, shape: like.shape });
}

/** The numbers and strings among a node's attributes, which describe its windows. */
export function attributesOf(node: Node): Attributes {
  const kept: Record<string, ReturnType<typeof int>> = {};
  for (const [name, found] of node.attributes) {
    const { type } = found;
    if (type === 'int' || type === 'ints' || type === 'float' || type === 'string') kept[name] = found;
  }
  return kept;
}
