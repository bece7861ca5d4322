import { intAttribute } from '../ir/attributes.ts';
import { toNumbers } from '../numbers.ts';
import { isQuantise } from '../transform/quantised.ts';
import { elementwise } from './elementwise.ts';
import { labelEncoder, labelTable, zipMap } from './labels.ts';
import { expand, flatten, gather, reduce, reshape, slice, squeeze, transpose, unsqueeze } from './layouts.ts';
import { addScale } from './reach.ts';
import { constantAt, countWith, fromFront, holdsIndices, keep, rankOf } from './visits.ts';
import { notFollowed, type Visit } from './walk.ts';

type Rule = (visit: Visit) => void;

const same: Rule = (visit) => keep(visit, visit.axis);
const carried: Rule = (visit) => keep(visit, visit.axis, true);

/** Elementwise, or along the classes, for any number of them. */
const SAME: readonly string[] = [
  ...['Softmax', 'LogSoftmax', 'Hardmax', 'Sigmoid', 'HardSigmoid', 'Relu', 'LeakyRelu', 'Elu', 'Selu', 'Celu', 'Gelu'],
  ...['Tanh', 'Exp', 'Log', 'Neg', 'Abs', 'Sqrt', 'Reciprocal', 'Softplus', 'Softsign', 'Erf', 'Sign', 'Floor'],
  ...['Ceil', 'Round', 'IsNaN', 'IsInf', 'Not', 'ThresholdedRelu', 'HardSwish', 'Mish', 'LpNormalization', 'CumSum'],
];
const CARRIED: readonly string[] = ['Identity', 'Cast', 'Dropout'];
/** Over space, behind a convolution. */
const POOLS: readonly string[] = ['GlobalAveragePool', 'AveragePool', 'GlobalMaxPool', 'MaxPool', 'GlobalLpPool'];
const ELEMENTWISE: readonly string[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Sum', 'Mean', 'Where', 'Mod', 'PRelu'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'And', 'Or', 'Xor'],
];
const REDUCTIONS: readonly string[] = [
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceLogSumExp', 'ReduceProd'],
  ...['ReduceSumSquare', 'ReduceLogSum'],
];

/** A rounding, or its inverse, by one scale for all classes. */
export const rounded: Rule = (visit) => {
  const { walk, node, input, axis } = visit;
  const scale = constantAt(visit, 1);
  if (scale?.tensor.data.length !== 1) throw notFollowed(node, 'scales that are no constant, or one for each class');
  if (walk.linear.has(input)) addScale(walk.scales, { scale: scale.value, zero: node.inputs[2] }, node);
  keep(visit, axis, true);
};

/** Of integers it is a part of the rounding before it. */
const clip: Rule = (visit) => {
  const { producer } = visit.input;
  if (producer && isQuantise(producer)) carried(visit);
  else same(visit);
};

/** The same operator on integers. */
const integer: Rule = (visit) => {
  const [, scale, zero] = visit.node.inputs;
  if (scale && visit.walk.linear.has(visit.input)) addScale(visit.walk.scales, { scale, zero }, visit.node);
  same(visit);
};

const pool: Rule = (visit) => {
  if (visit.axis !== 1) throw notFollowed(visit.node, 'a pool over the classes');
  keep(visit, 1, visit.node.opType.endsWith('AveragePool'));
};

const pick: Rule = (visit) => holdsIndices(visit);

/** TopK: there must be at least k classes. */
const best: Rule = (visit) => {
  const { walk, node, input, axis } = visit;
  const at = fromFront(intAttribute(node, 'axis', -1), rankOf(walk, input));
  if (at !== axis) throw notFollowed(node, 'the best of something other than classes');
  const k = constantAt(visit, 1);
  const count = k ? (toNumbers(k.tensor)[0] ?? 0) : intAttribute(node, 'k', 0);
  walk.changes.push(({ outputs }) => {
    if (count > outputs) throw notFollowed(node, `the best ${count} of ${outputs} classes`);
  });
  holdsIndices(visit, node.outputs[1]);
};

/** Readers of the scores' size get the new one. */
const nothing: Rule = () => {};

const oneHot: Rule = (visit) => {
  const { walk, node } = visit;
  const depth = constantAt(visit, 1);
  if (!depth || toNumbers(depth.tensor)[0] !== walk.outputs)
    throw notFollowed(node, 'a depth that is not the number of classes');
  countWith(walk, node, depth, [0]);
};

function table(...entries: readonly (readonly [names: readonly string[], rule: Rule])[]): ReadonlyMap<string, Rule> {
  return new Map(entries.flatMap(([names, rule]) => names.map((name) => [name, rule] as const)));
}

/** How each operator treats scores and class indices; other ai.onnx operators work with any index. */
export const RULES: Readonly<Record<'scores' | 'indices' | 'labels', ReadonlyMap<string, Rule>>> = {
  scores: table(
    [SAME, same],
    [CARRIED, carried],
    [['Clip'], clip],
    [POOLS, pool],
    [ELEMENTWISE, elementwise],
    [REDUCTIONS, reduce],
    [['com.microsoft.QLinearSoftmax', 'com.microsoft.QLinearSigmoid'], integer],
    [['Transpose'], transpose],
    [['Flatten'], flatten],
    [['Reshape'], reshape],
    [['Squeeze'], squeeze],
    [['Unsqueeze'], unsqueeze],
    [['Expand'], expand],
    [['Slice'], slice],
    [['Gather'], gather],
    [['ArgMax', 'ArgMin'], pick],
    [['TopK'], best],
    [['Shape', 'Size'], nothing],
    [['QuantizeLinear', 'DequantizeLinear', 'com.microsoft.QuantizeLinear', 'com.microsoft.DequantizeLinear'], rounded],
    [['ai.onnx.ml.ZipMap'], zipMap],
  ),
  indices: table(
    [[...CARRIED, 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Expand'], pick],
    [['OneHot'], oneHot],
    [['ai.onnx.ml.ArrayFeatureExtractor', 'Gather'], labelTable],
    [['ai.onnx.ml.LabelEncoder'], labelEncoder],
  ),
  /** Operators of ai.onnx.ml, whatever they read. */
  labels: table([['ZipMap'], zipMap], [['ArrayFeatureExtractor'], labelTable], [['LabelEncoder'], labelEncoder]),
};
