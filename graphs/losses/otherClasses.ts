import type { Pen, Value } from '../../src/emit/index.ts';

/** Sums over all classes but the label y, relative to some c for each sample. */
export interface OtherClasses {
  /** e^(z_k−c), 0 at the label, [N, C]. */
  terms(): Value;
  /** Their sum S, neither near 0 nor near the end of float32's range, [N]. */
  readonly sum: Value;
  /** c − z_y, [N]; any number. */
  readonly gap: Value;
  /** S · e^(c−z_y), [N]: infinite only if beyond float32's range. */
  readonly odds: Value;
}

/** Up to this many classes, a pass over them costs less than the nodes that avoid it. */
const FEW = 100;

/**
 * For few classes c = max_{k≠y} z_k, in 15 nodes. For more c = 0, which is exact and takes the fewest passes, but e^z_k must stay within
 * float32's range. Samples with logits beyond about ±69 are summed again in the way for few classes, and so is the first sample, so that
 * only an empty batch has none of them.
 */
export function otherClasses(op: Pen, logits: Value, index: Value): OtherClasses {
  if (Number(logits.shape?.[1]) <= FEW) return shifted(op, logits, index);
  const gap = op.neg(scoreOf(op, logits, index));
  const terms = without(op, op.exp(logits), index, 0);
  const sum = op.reduceSum(terms, [1]);
  const isFar = op.greater(op.abs(op.log(sum)), FAR);
  const found = op.reshape(op.call('NonZero', [isFar], { dtype: 'int64' }), [-1]);
  const rows = op.concat([firstRow(op, gap), found], 0);
  const far = shifted(op, op.gather(logits, rows), op.gather(index, rows));
  const [sums, gaps] = [op.scatterElements(sum, rows, far.sum, 0), op.scatterElements(gap, rows, far.gap, 0)];
  // In two halves, since e^gap may overflow although the product does not.
  const half = op.exp(op.mul(gaps, 0.5));
  return {
    terms: () => op.scatterElements(terms, op.expandLike(op.unsqueeze(rows, [1]), far.terms()), far.terms(), 0),
    sum: sums,
    gap: gaps,
    odds: op.mul(op.mul(sums, half), half),
  };
}

/** [0], or [] for an empty batch. */
function firstRow(op: Pen, perSample: Value): Value {
  const zero = op.vector([0]);
  if (typeof perSample.shape?.[0] === 'number') return zero;
  return op.call('Slice', [zero, zero, op.shapeOf(perSample), zero], { shape: [undefined] });
}

/** |log sum| up to which a sum of float32 is in the middle of its range. */
const FAR = 69;

/** The terms carry what rounding c − z_y lost. One of them is about 1, so S · e^gap overflows only if e^gap does. */
function shifted(op: Pen, logits: Value, index: Value): OtherClasses {
  const others = without(op, logits, index, LOWEST);
  const highest = op.reduceMax(others, [1], true);
  const apart = difference(op, highest, op.gatherElements(logits, index, 1));
  const terms = op.mul(op.exp(op.sub(others, highest)), op.exp(apart.lost));
  const [sum, gap] = [op.reduceSum(terms, [1]), op.squeeze(apart.rounded, [1])];
  return { terms: () => terms, sum, gap, odds: op.mul(sum, op.exp(gap)) };
}

/** Finite, so that it minus itself is 0, and a model with one class has a loss of 0. */
const LOWEST = -3.4e38;

/** The label's element of each row, [N]. */
function scoreOf(op: Pen, x: Value, index: Value): Value {
  return op.squeeze(op.gatherElements(x, index, 1), [1]);
}

/** x with `value` in the label's place. */
function without(op: Pen, x: Value, index: Value, value: number): Value {
  return op.scatterElements(x, index, op.expandLike(op.scalar(value, 'float32'), index), 1);
}

/** a − b as a float32, and the rounding error: e^(a−b) = e^rounded · e^lost. Knuth, TAOCP 2, 4.2.2, theorem B. */
function difference(op: Pen, a: Value, b: Value): { rounded: Value; lost: Value } {
  const rounded = op.sub(a, b);
  const minusB = op.sub(rounded, a);
  const lost = op.sub(op.sub(a, op.sub(rounded, minusB)), op.add(b, minusB));
  return { rounded, lost };
}
