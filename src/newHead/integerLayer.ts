import { floatAttribute, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import type { Quantisation } from '../quantisation.ts';
import type { Tensor } from '../tensor.ts';
import { formOf } from '../transform/integerForms.ts';
import { elementsOf, type Holder, type LinearLayer, type Stored } from './elements.ts';
import { roundedConstant } from './rounded.ts';

/** A weight among the inputs of an operator on integers, with what scales it. */
interface Place {
  readonly weight: Holder;
  readonly scale: Holder;
  readonly zero: Value | undefined;
  /** Of its scales, which are those of the classes too. */
  readonly axis: number;
}

/**
 * The last layer as an operator on integers computes it: QGemm, QLinearMatMul, QLinearConv, and MatMulInteger with the scaling behind it.
 *
 * @returns `undefined` for another one, and for scales that are not constants.
 */
export function integerLayer(model: Model, graph: Graph, node: Node): LinearLayer | undefined {
  const form = formOf(node, model.opset);
  const features = node.inputs[0];
  if (!features) return undefined;
  if (form === undefined) return productLayer(model, graph, node, features);
  const place = placeAt(node, { weight: 3, scale: 4, zero: 5 }, form.axes?.[1] ?? 0);
  const weight = place && ['Gemm', 'MatMul', 'Conv'].includes(form.opType) ? weightAt(model, graph, place) : undefined;
  if (!weight || (form.opType === 'Conv' && intAttribute(node, 'group', 1) !== 1)) return undefined;
  const value = form.bias === undefined ? undefined : node.inputs[form.bias];
  const bias = value && biasOf(model, graph, { value, reader: node }, weight);
  if (value && !bias) return undefined;
  const isConv = form.opType === 'Conv';
  const [scale, zero] = node.inputs.slice(form.output, form.output + 2);
  return {
    node,
    features,
    layout: isConv ? 'channels' : intAttribute(node, 'transA', 0) === 1 ? 'columns' : 'rows',
    weight,
    bias,
    alpha: floatAttribute(node, 'alpha', 1),
    beta: 1,
    outputs: weight.tensor.dims[weight.axis] ?? 0,
    axis: isConv ? 1 : lastAxis(node),
    rounds: scale && { scale, zero },
  };
}

/** MatMulInteger, its scaled result, and the form in which ONNX Runtime fuses both. */
function productLayer(model: Model, graph: Graph, node: Node, features: Value): LinearLayer | undefined {
  const { scaled, place } = PRODUCTS[node.opType]?.(node, (value) => elementsOf(model, graph, value)) ?? {};
  const weight = place && weightAt(model, graph, place);
  if (!weight || !scaled) return undefined;
  const at = BIASES[node.opType];
  const value = at === undefined ? undefined : node.inputs[at];
  const tensor = value && elementsOf(model, graph, value);
  if (value && !tensor) return undefined;
  return {
    node: scaled,
    features,
    layout: 'rows',
    weight,
    bias: value && tensor && { value, reader: node, tensor, axis: tensor.dims.length - 1 },
    alpha: 1,
    beta: 1,
    outputs: weight.tensor.dims[weight.axis] ?? 0,
    axis: lastAxis(scaled),
  };
}

type Product = (
  node: Node,
  constant: (value: Value) => Tensor | undefined,
) => { readonly scaled: Node; readonly place: Place | undefined } | undefined;

const BIASES: Readonly<Record<string, number>> = { MatMulIntegerToFloat: 6, DynamicQuantizeMatMul: 4 };

const PRODUCTS: Readonly<Record<string, Product>> = {
  MatMulIntegerToFloat: (node) => ({ scaled: node, place: placeAt(node, { weight: 1, scale: 3, zero: 5 }, -1) }),
  DynamicQuantizeMatMul: (node) => ({ scaled: node, place: placeAt(node, { weight: 1, scale: 2, zero: 3 }, -1) }),
  MatMulInteger: (node, constant) => {
    const [cast, ...others] = node.outputs[0]?.uses ?? [];
    const floats = cast?.opType === 'Cast' && others.length === 0 ? cast.outputs[0] : undefined;
    const [scaled] = floats?.uses ?? [];
    const factor = scaled?.opType === 'Mul' ? scaled.inputs.find((input) => input !== floats) : undefined;
    const reader = factor?.producer?.opType === 'Mul' ? factor.producer : undefined;
    const value = reader?.inputs.find((input) => input && constant(input));
    const [, weight, , zero] = node.inputs;
    if (!scaled || !reader || !value || !weight) return undefined;
    return { scaled, place: { weight: { value: weight, reader: node }, scale: { value, reader }, zero, axis: -1 } };
  },
};

function placeAt(
  node: Node,
  at: { readonly weight: number; readonly scale: number; readonly zero: number },
  axis: number,
): Place | undefined {
  const [weight, scale, zero] = [at.weight, at.scale, at.zero].map((place) => node.inputs[place]);
  return (
    weight && scale && { weight: { value: weight, reader: node }, scale: { value: scale, reader: node }, zero, axis }
  );
}

function weightAt(model: Model, graph: Graph, { weight, scale, zero, axis }: Place): Stored | undefined {
  const [integers, scales, zeros] = [weight.value, scale.value, zero].map(
    (value) => value && elementsOf(model, graph, value),
  );
  if (!integers || !scales || (zero && !zeros)) return undefined;
  const classes = axis < 0 ? axis + integers.dims.length : axis;
  return roundedConstant(weight, classes, {
    integers,
    how: { scale: scales, zeroPoint: zeros, axis: classes, block: 0 },
    scale,
    zero: zero && { value: zero, reader: weight.reader },
  });
}

/** An int32 bias in steps of the product of the scales of its layer's input and weight. */
function biasOf(model: Model, graph: Graph, holder: Holder, { rounding }: Stored): Stored | undefined {
  const [, input] = holder.reader.inputs;
  const [integers, step] = [holder.value, input].map((value) => value && elementsOf(model, graph, value));
  if (!integers || !step || !rounding) return undefined;
  const factor = Number(step.data[0]) * floatAttribute(holder.reader, 'alpha', 1);
  const data = Float32Array.from(Array.from(rounding.how.scale.data, Number), (scale) => factor * scale);
  const how: Quantisation = {
    scale: { dtype: 'float32', dims: rounding.how.scale.dims, data },
    zeroPoint: undefined,
    axis: integers.dims.length - 1,
    block: 0,
  };
  return roundedConstant(holder, integers.dims.length - 1, { integers, how, scale: undefined, zero: undefined });
}

function lastAxis({ outputs: [output] }: Node): number {
  return (output?.shape?.length ?? 2) - 1;
}
