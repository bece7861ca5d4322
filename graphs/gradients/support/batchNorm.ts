import { COMPOSITE_DOMAIN, type GradientContext, type GradientRule } from '../../../src/contract.ts';
import { float, floatAttribute, type Pen, type Value } from '../../../src/emit/index.ts';
import { outputOf } from '../../support/shapes.ts';

/** The batch's mean and 1/σ by channel, [C] each. */
export interface BatchStatistics {
  readonly mean: Value;
  readonly inverseDeviation: Value;
}

/** The statistics that a BatchNormalization in training_mode uses, computed again, because the operator does not return them. */
export function batchStatistics({ op, node, inputs, input }: GradientContext): BatchStatistics {
  const vector = { dtype: input(1).dtype, shape: input(1).shape };
  const outputs = [{ dtype: input(0).dtype, shape: input(0).shape }, vector, vector, vector, vector];
  const values = op.callAll('BatchNormTrain', inputs, outputs, {
    domain: COMPOSITE_DOMAIN,
    attributes: {
      epsilon: float(floatAttribute(node, 'epsilon', 1e-5)),
      momentum: float(floatAttribute(node, 'momentum', 0.9)),
    },
  });
  const [, , , mean = input(1), inverseDeviation = input(1)] = values;
  return { mean, inverseDeviation };
}

/** Gradients of x, scale and bias through the batch's statistics. */
export function batchNormTrainGradients(
  op: Pen,
  {
    x,
    scale,
    dy,
    mean,
    inverseDeviation,
  }: BatchStatistics & { readonly x: Value; readonly scale: Value; readonly dy: Value },
): readonly Value[] {
  const like = ({ dtype, shape }: Value) => ({ dtype, shape });
  return op.callAll('BatchNormTrainGrad', [dy, x, scale, mean, inverseDeviation], [x, scale, scale].map(like), {
    domain: COMPOSITE_DOMAIN,
  });
}

/** Of the composite BatchNormTrain: outputs 3 and 4 are the statistics; the running ones are state. */
export const batchNormTrain: GradientRule = (context) => {
  const { op, input, dyOf } = context;
  const [mean, inverseDeviation] = [outputOf(context, 3), outputOf(context, 4)];
  return batchNormTrainGradients(op, { x: input(0), scale: input(1), dy: dyOf(0), mean, inverseDeviation });
};
