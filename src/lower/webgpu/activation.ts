import { floatAttribute, type Pen, type Value } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/*
 * Activations without a kernel, written with operators that have one.
 */

/** max(0, x) + min(0, α (e^(x/α) − 1)) */
export const Celu: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const alpha = floatAttribute(node, 'alpha', 1);
  return [op.add(op.max(x, 0), op.min(op.mul(op.sub(op.exp(op.mul(x, 1 / alpha)), 1), alpha), 0))];
};

/** γ (max(0, x) + min(0, α (e^x − 1))) */
export const Selu: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const alpha = floatAttribute(node, 'alpha', 1.6732632423543772);
  const gamma = floatAttribute(node, 'gamma', 1.0507009873554805);
  const below = op.min(op.mul(op.sub(op.exp(x), 1), alpha), 0);
  return [op.mul(op.add(op.max(x, 0), below), gamma)];
};

/** x / (1 + |x|) */
export const Softsign: NodeForm = ({ op, input }) => [op.div(input(0), op.add(op.abs(input(0)), 1))];

/** x + b below −λ, x − b above λ, else 0 */
export const Shrink: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const lambd = floatAttribute(node, 'lambd', 0.5);
  const bias = floatAttribute(node, 'bias', 0);
  const above = op.where(op.greater(x, lambd), op.sub(x, bias), 0);
  return [op.where(op.less(x, -lambd), op.add(x, bias), above)];
};

/** The identity if nothing is dropped: the ratio is 0, or this is not training. */
export const Dropout: NodeForm = ({ op, node, input, constant }) => {
  const [, ratio, mode] = node.inputs;
  const isOff = mode === undefined || constant(mode)?.[0] === 0 || (ratio && constant(ratio)?.[0] === 0);
  const [, mask] = node.outputs;
  return isOff && mask === undefined ? [op.identity(input(0))] : undefined;
};

/** Rounds to the nearest whole number, halves to the even one. */
export const Round: NodeForm = ({ op, input }) => {
  const x = input(0);
  const up = op.floor(op.add(x, 0.5));
  const isOdd = op.greater(op.abs(op.sub(up, op.mul(op.floor(op.mul(up, 0.5)), 2))), 0.5);
  return [op.where(op.and(op.equal(op.sub(up, x), 0.5), isOdd), op.sub(up, 1), up)];
};

/** Both operands as floats in the result's shape: the kernel broadcasts only one of them. */
export const Pow: NodeForm = ({ op, input }) => {
  const [base, exponent] = [input(0), input(1)];
  const isSame = base.dtype === exponent.dtype || exponent.dtype === undefined;
  const isPlain = isScalar(exponent) || isScalar(base) || isAlike(base, exponent);
  if (base.dtype !== 'float32' || (isSame && isPlain)) return undefined;
  const power = isSame ? exponent : toFloat(op, exponent);
  if (isPlain) return [op.pow(base, power)];
  const shape = op.shapeOf(op.add(base, power));
  return [op.pow(op.expand(base, shape), op.expand(power, shape))];
};

/** 64-bit integers can only be cast to 32 bits. */
function toFloat(op: Pen, value: Value): Value {
  return op.cast(value.dtype === 'int64' ? op.cast(value, 'int32') : value, 'float32');
}

function isScalar({ shape }: Value): boolean {
  return shape?.every((dim) => dim === 1) === true;
}

function isAlike(a: Value, b: Value): boolean {
  return a.shape !== undefined && a.shape.join() === b.shape?.join() && !a.shape.includes(undefined);
}
