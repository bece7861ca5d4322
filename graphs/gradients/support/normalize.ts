import type { Node, Pen, Value } from '../../../src/emit/index.ts';
import { range, rankOf } from '../../support/shapes.ts';

/** x̂ = (x − μ)/σ over axes, and 1/σ, with those axes kept. */
export interface Normalized {
  readonly normal: Value;
  readonly inverseDeviation: Value;
}

/** Mean and (biased) variance over axes, ε in the square root. */
export function normalized(op: Pen, x: Value, axes: readonly number[], epsilon: number): Normalized {
  const centred = op.sub(x, op.reduceMean(x, axes, true));
  const variance = op.reduceMean(op.mul(centred, centred), axes, true);
  const inverseDeviation = op.reciprocal(op.sqrt(op.add(variance, epsilon)));
  return { normal: op.mul(centred, inverseDeviation), inverseDeviation };
}

/** The gradient of x from the gradient g of x̂: (g − mean g − x̂ · mean(g x̂)) / σ. */
export function throughNormalization(
  op: Pen,
  { normal, inverseDeviation }: Normalized,
  g: Value,
  axes: readonly number[],
): Value {
  const constant = op.reduceMean(g, axes, true);
  const along = op.reduceMean(op.mul(g, normal), axes, true);
  return op.mul(inverseDeviation, op.sub(op.sub(g, constant), op.mul(normal, along)));
}

/** For x [N, C, …]: the axes of a channel's statistics, and a vector [C] in the shape that multiplies x. */
export interface Channels {
  readonly over: readonly number[];
  readonly perChannel: (vector: Value) => Value;
}

export function channelsOf(op: Pen, node: Node, x: Value): Channels {
  const spatial = rankOf(node, x) - 2;
  return {
    over: [0, ...range(spatial, 2)],
    perChannel: (vector) => (spatial === 0 ? vector : op.unsqueeze(vector, range(spatial, 1))),
  };
}
