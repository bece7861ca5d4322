import { type GradientContext, type GradientRule, unary } from '../../src/contract.ts';
import { intAttribute, type Value } from '../../src/emit/index.ts';
import { axisOf, range, rankOf } from '../support/shapes.ts';

/** dx = y · (dy − Σ y·dy) */
export const Softmax: GradientRule = unary((context) => {
  const { op, dy } = context;
  const y = withoutNaN(context.y);
  return op.mul(y, op.sub(dy, op.reduceSum(op.mul(y, dy), normalizedAxes(context), true)));
});

/**
 * A row of only −∞, from a query that may attend to nothing, has a softmax of NaN, which PyTorch's exporters replace by zeros:
 * Where(IsNaN(y), 0, y). Its gradient is zero, as PyTorch's attention has it; from the y before that it would be NaN.
 */
function withoutNaN(y: Value): Value {
  const cleaned = [...y.uses].find(({ opType, inputs: [condition, , kept] }) => {
    const test = condition?.producer;
    return opType === 'Where' && kept === y && test?.opType === 'IsNaN' && test.inputs[0] === y;
  });
  return cleaned?.outputs[0] ?? y;
}

/** dx = dy − eʸ Σ dy */
export const LogSoftmax: GradientRule = unary((context) => {
  const { op, y, dy } = context;
  return op.sub(dy, op.mul(op.exp(y), op.reduceSum(dy, normalizedAxes(context), true)));
});

/** One axis; before opset 13 all from that axis on, as of a matrix. */
function normalizedAxes({ op, node, input }: GradientContext): number[] {
  const x = input(0);
  if (op.opset >= 13) return [axisOf(node, x, intAttribute(node, 'axis', -1))];
  const axis = axisOf(node, x, intAttribute(node, 'axis', 1));
  return range(rankOf(node, x) - axis, axis);
}
