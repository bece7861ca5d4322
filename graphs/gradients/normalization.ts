import { type GradientRule, unary } from '../../src/contract.ts';
import {
  float,
  floatAttribute,
  int,
  intAttribute,
  ints,
  intsAttribute,
  unsupported,
  type Value,
} from '../../src/emit/index.ts';
import { axisOf, range, rankOf } from '../support/shapes.ts';
import { batchNormTrainGradients, batchStatistics } from './support/batchNorm.ts';
import { isEqual } from './support/masks.ts';
import { channelsOf, normalized, throughNormalization } from './support/normalize.ts';

const EPSILON = 1e-5;

/**
 * With running statistics y = (x − μ) · γ/σ + β; μ and σ are state, and get no gradient. With training_mode the statistics are the
 * batch's, and gradients flow through them.
 */
export const BatchNormalization: GradientRule = (context) => {
  const { op, node, input, dyOf } = context;
  const [x, scale, dy] = [input(0), input(1), dyOf(0)];
  if (intAttribute(node, 'training_mode', 0) === 1) {
    return batchNormTrainGradients(op, { x, scale, dy, ...batchStatistics(context) });
  }
  const { over, perChannel } = channelsOf(op, node, x);
  const variance = op.add(input(4), floatAttribute(node, 'epsilon', EPSILON));
  const inverseDeviation = op.reciprocal(op.sqrt(variance));
  const centred = op.sub(x, perChannel(input(3)));
  return [
    op.mul(dy, perChannel(op.mul(scale, inverseDeviation))),
    op.mul(op.reduceSum(op.mul(dy, centred), over), inverseDeviation),
    op.reduceSum(dy, over),
  ];
};

/** The fused operator without a scale gives x̂, and 1/σ as its third output. The engine sums the gradients of γ and β. */
export const LayerNormalization: GradientRule = ({ op, node, input, inputs, dyOf }) => {
  const [x, scale, dy] = [input(0), input(1), dyOf(0)];
  const axis = axisOf(node, x, intAttribute(node, 'axis', -1));
  const axes = range(rankOf(node, x) - axis, axis);
  const reduced = x.shape?.map((dim, i) => (i < axis ? dim : 1));
  const ones = op.expandLike(op.scalar(1, scale.dtype ?? 'float32'), scale);
  const stash = 'float32';
  const [normal = x, , stashed = x] = op.callAll(
    'LayerNormalization',
    [x, ones],
    [
      { dtype: x.dtype, shape: x.shape },
      { dtype: stash, shape: reduced },
      { dtype: stash, shape: reduced },
    ],
    { attributes: { axis: int(axis), epsilon: float(floatAttribute(node, 'epsilon', EPSILON)) } },
  );
  const inverseDeviation = x.dtype === stash ? stashed : op.cast(stashed, x.dtype ?? stash);
  const dx = throughNormalization(op, { normal, inverseDeviation }, op.mul(dy, scale), axes);
  return [dx, op.mul(dy, normal), ...(inputs[2] ? [dy] : [])];
};

export const InstanceNormalization: GradientRule = (context) => {
  const { op, node, input, dy } = context;
  const [x, scale] = [input(0), input(1)];
  const { over, perChannel } = channelsOf(op, node, x);
  const axes = over.slice(1);
  const parts = normalized(op, x, axes, floatAttribute(node, 'epsilon', EPSILON));
  return [
    throughNormalization(op, parts, op.mul(dy, perChannel(scale)), axes),
    op.reduceSum(op.mul(dy, parts.normal), over),
    op.reduceSum(dy, over),
  ];
};

/** Scale and bias are one number per group before opset 21, and per channel from then on. */
export const GroupNormalization: GradientRule = (context) => {
  const { op, node, input, dy } = context;
  const [x, scale] = [input(0), input(1)];
  const inGroups = (value: Value) => op.reshape(value, [0, intAttribute(node, 'num_groups', 1), -1]);
  const parts = normalized(op, inGroups(x), [2], floatAttribute(node, 'epsilon', EPSILON));
  const through = (g: Value) => op.reshapeLike(throughNormalization(op, parts, g, [2]), x);
  if (op.opset < 21) {
    const dGroups = inGroups(dy);
    return [
      through(op.mul(dGroups, op.unsqueeze(scale, [1]))),
      op.reduceSum(op.mul(dGroups, parts.normal), [0, 2]),
      op.reduceSum(dGroups, [0, 2]),
    ];
  }
  const { over, perChannel } = channelsOf(op, node, x);
  return [
    through(inGroups(op.mul(dy, perChannel(scale)))),
    op.reduceSum(op.mul(dy, op.reshapeLike(parts.normal, x)), over),
    op.reduceSum(dy, over),
  ];
};

/** y = x/r · γ with r² the mean square and ε. */
export const RMSNormalization: GradientRule = ({ op, node, input, dyOf }) => {
  const [x, scale, dy] = [input(0), input(1), dyOf(0)];
  const axis = axisOf(node, x, intAttribute(node, 'axis', -1));
  const axes = range(rankOf(node, x) - axis, axis);
  const square = op.reduceMean(op.mul(x, x), axes, true);
  const inverse = op.reciprocal(op.sqrt(op.add(square, floatAttribute(node, 'epsilon', EPSILON))));
  const normal = op.mul(x, inverse);
  const g = op.mul(dy, scale);
  const along = op.reduceMean(op.mul(g, normal), axes, true);
  return [op.mul(inverse, op.sub(g, op.mul(normal, along))), op.mul(dy, normal)];
};

/** y = x / ‖x‖ₚ, and 0 where x is 0: dx = (dy − ∂‖x‖ₚ Σ dy y) / ‖x‖ₚ. */
export const LpNormalization: GradientRule = unary(({ op, node, x, y, dy }) => {
  const axis = axisOf(node, x, intAttribute(node, 'axis', -1));
  const isFirst = intAttribute(node, 'p', 2) === 1;
  const norm = isFirst ? op.reduceSum(op.abs(x), [axis], true) : op.sqrt(op.reduceSum(op.mul(x, x), [axis], true));
  const slope = isFirst ? op.sign(x) : y;
  const along = op.mul(slope, op.reduceSum(op.mul(dy, y), [axis], true));
  return op.div(op.sub(dy, along), op.add(norm, isEqual(op, norm, 0)));
});

/** y = (x − μ) / (σ + 10⁻⁹) over the axes. */
export const MeanVarianceNormalization: GradientRule = unary(({ op, node, x, y, dy }) => {
  const axes = (intsAttribute(node, 'axes') ?? [0, 2, 3]).map((axis) => axisOf(node, x, axis));
  const centred = op.sub(x, op.reduceMean(x, axes, true));
  const deviation = op.sqrt(op.reduceMean(op.mul(centred, centred), axes, true));
  const inverseDeviation = op.reciprocal(op.add(deviation, 1e-9));
  return throughNormalization(op, { normal: y, inverseDeviation }, dy, axes);
});

/** y = x s^−β, s = bias + α/size Σ x² over neighbouring channels: dx = dy s^−β − 2αβ/size x Σ dy y/s over the same. */
export const LRN: GradientRule = ({ op, node, input, outputs, dy }) => {
  const x = input(0);
  const size = intAttribute(node, 'size', 1);
  if (size % 2 === 0) throw unsupported(node, 'an odd size, as ONNX Runtime demands', String(size));
  const [alpha, beta] = [floatAttribute(node, 'alpha', 1e-4), floatAttribute(node, 'beta', 0.75)];
  const half = (size - 1) / 2;
  const attributes = { kernel_shape: ints([size, 1]), pads: ints([half, 0, half, 0]), count_include_pad: int(1) };
  const average = (value: Value) => {
    const rows = op.unsqueeze(op.reshape(value, [0, 0, -1]), [1]);
    return op.reshapeLike(op.call('AveragePool', [rows], { attributes }), x);
  };
  const s = op.add(op.mul(average(op.mul(x, x)), alpha), floatAttribute(node, 'bias', 1));
  const [y = x] = outputs;
  const back = average(op.div(op.mul(dy, y), s));
  return [op.sub(op.mul(dy, op.pow(s, -beta)), op.mul(op.mul(x, back), 2 * alpha * beta))];
};
