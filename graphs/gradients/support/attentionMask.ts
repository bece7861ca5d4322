import type { GradientContext } from '../../../src/contract.ts';
import { intAttribute, type Pen, type Value } from '../../../src/emit/index.ts';
import { minus } from '../../support/arithmetic.ts';
import { indicesTo } from '../../support/shapes.ts';
import type { Layout } from './attentionLayout.ts';

/** What is added to the scores, and 1 for a query that may look somewhere, else 0: each broadcast to [N, heads, queries, …]. */
export interface Mask {
  readonly added: Value;
  /** `undefined` where every query may. */
  readonly alive: Value | undefined;
}

/** −∞ as a number whose sum with a score is one, so that no softmax is NaN. */
const NOWHERE = -3e38;

/** The mask, the causal order and the keys that are none, as one sum; `undefined` where there is none of them. */
export function attentionMask(context: GradientContext, layout: Layout): Mask | undefined {
  const { op, inputs } = context;
  const mask = inputs[3];
  const given = mask?.dtype === 'bool' ? bias(context, mask) : mask;
  const parts = [given, pastKeys(context, layout), realKeys(context, layout)];
  const [first, ...rest] = parts.filter((part) => part !== undefined);
  if (!first) return undefined;
  const sum = rest.reduce((a, b) => op.add(a, b), first);
  const added = op.max(sum, NOWHERE);
  added.shape = sum.shape;
  if (!inputs[3] && !inputs[6]) return { added, alive: undefined };
  const best = op.reduceMax(added, [-1], true);
  return { added, alive: op.cast(op.greater(best, NOWHERE), best.dtype ?? 'float32') };
}

/** 0 where it is allowed, else −∞. */
function bias({ op, input }: GradientContext, allowed: Value): Value {
  const dtype = input(0).dtype ?? 'float32';
  return op.where(allowed, op.scalar(0, dtype), op.scalar(Number.NEGATIVE_INFINITY, dtype));
}

function isCausal({ node }: GradientContext): boolean {
  return intAttribute(node, 'is_causal', 0) !== 0;
}

/** Key j is seen from place i where j ≤ i; the last query stands at the last key that is one. */
function pastKeys(context: GradientContext, { queries, keys }: Layout): Value | undefined {
  const { op, inputs } = context;
  if (!isCausal(context)) return undefined;
  const last = op.unsqueeze(indicesTo(op, queries), [1]);
  const shift = inputs[6] && minus(op, perSample(op, inputs[6]), queries);
  const seen = typeof shift === 'object' ? op.add(last, shift) : last;
  return bias(context, op.less(op.unsqueeze(indicesTo(op, keys), [0]), op.add(seen, 1)));
}

/** Keys before the number of those that are one. */
function realKeys(context: GradientContext, { keys }: Layout): Value | undefined {
  const { op, inputs } = context;
  return inputs[6] && bias(context, op.less(indicesTo(op, keys), perSample(op, inputs[6])));
}

/** [N] as [N, 1, 1, 1] */
function perSample(op: Pen, counts: Value): Value {
  return op.unsqueeze(counts, [1, 2, 3]);
}
