import { type GradientRule, unary } from '../../src/contract.ts';
import { int, intAttribute, type Node, type Pen, type Value } from '../../src/emit/index.ts';
import { range, rankOf } from '../support/shapes.ts';
import { countAlong, inverse } from './support/area.ts';
import { attributesOf, composite } from './support/composite.ts';
import { isEqual } from './support/masks.ts';

/** dy goes to the first maximum of each window. The node's own second output gives its index, if present. */
export const MaxPool: GradientRule = ({ op, node, input, outputs, dyOf }) => {
  const x = input(0);
  const { storage_order, ...attributes } = attributesOf(node);
  const indices = storage_order?.value === 1n ? undefined : outputs[1];
  return [composite(op, 'MaxPoolGrad', [x, dyOf(0), indices], x, attributes)];
};

/** dy divided by the number of elements in its window's average, for each of them. */
export const AveragePool: GradientRule = unary(({ op, node, x, dy }) =>
  composite(op, 'AveragePoolGrad', [dy, x], x, attributesOf(node)),
);

/** y = (Σ |x|ᵖ)^(1/p): dx = sign(x) |x|ᵖ⁻¹ Σ dy y¹⁻ᵖ over the windows of x. */
export const LpPool: GradientRule = unary(({ op, node, x, y, dy }) => {
  const spread = composite(op, 'SumPoolGrad', [overPower(op, node, y, dy), x], x, attributesOf(node));
  return op.mul(signedPower(op, node, x), spread);
});

export const GlobalLpPool: GradientRule = unary(({ op, node, x, y, dy }) =>
  op.mul(signedPower(op, node, x), overPower(op, node, y, dy)),
);

export const GlobalAveragePool: GradientRule = unary(({ op, node, x, dy }) => {
  const area = countAlong(op, x, range(rankOf(node, x) - 2, 2));
  return op.expandLike(op.mul(dy, inverse(op, area)), x);
});

/** dy goes to the first maximum. */
export const GlobalMaxPool: GradientRule = unary(({ op, x, dy }) => {
  const flat = op.reshape(x, [0, 0, -1]);
  const place = op.call('ArgMax', [flat], { attributes: { axis: int(2), keepdims: int(1) }, dtype: 'int64' });
  const scattered = op.scatterElements(op.zerosLike(flat), place, op.reshape(dy, [0, 0, -1]), 2);
  return op.reshapeLike(scattered, x);
});

/** sign(x) |x|ᵖ⁻¹ */
function signedPower(op: Pen, node: Node, x: Value): Value {
  const p = intAttribute(node, 'p', 2);
  if (p === 1) return op.sign(x);
  return p === 2 ? x : op.mul(op.sign(x), op.pow(op.abs(x), p - 1));
}

/** dy y¹⁻ᵖ, and 0 for a window of zeros. */
function overPower(op: Pen, node: Node, y: Value, dy: Value): Value {
  const p = intAttribute(node, 'p', 2);
  if (p === 1) return dy;
  const safe = op.add(y, isEqual(op, y, 0));
  return op.div(dy, p === 2 ? safe : op.pow(safe, p - 1));
}
