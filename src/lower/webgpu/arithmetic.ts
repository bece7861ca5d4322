import type { Pen, Value } from '../../emit/index.ts';
import { isFloat } from '../../tensor.ts';
import type { NodeForm } from '../adapt.ts';

/** [x > 0] − [x < 0]: there is no kernel. Integers are lengths, which the CPU computes. */
export const Sign: NodeForm = ({ op, input }) => {
  const x = input(0);
  if (!isFloat(x.dtype)) return undefined;
  return [op.sub(mask(op, op.greater(x, 0), x), mask(op, op.less(x, 0), x))];
};

/** The product of the lengths: there is no kernel, and the CPU's would want all of x. */
export const Size: NodeForm = ({ op, input }) => [op.reduceProd(op.shapeOf(input(0)), [0])];

/** One addition after the other: there is no kernel. */
export const Sum: NodeForm = ({ op, node }) => [sum(op, node.inputs)];

export const Mean: NodeForm = ({ op, node }) => [op.mul(sum(op, node.inputs), 1 / node.inputs.length)];

function sum(op: Pen, inputs: readonly (Value | undefined)[]): Value {
  const [first, ...rest] = inputs.filter((input) => input !== undefined);
  if (!first) throw new Error('a sum of nothing');
  return rest.reduce((total, value) => op.add(total, value), rest.length === 0 ? op.identity(first) : first);
}

/** x ≠ x: there is no kernel. */
export const IsNaN: NodeForm = ({ op, input }) => [op.not(op.equal(input(0), input(0)))];

function mask(op: Pen, condition: Value, like: Value): Value {
  return op.cast(condition, like.dtype ?? 'float32');
}
