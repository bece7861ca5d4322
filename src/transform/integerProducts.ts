import type { Node, NodeAttributes, Value } from '../ir/graph.ts';
import type { Scaled } from './integerForms.ts';
import type { Rounding } from './rounding.ts';

/** Two tensors of integers, each with its scale, and the float result of their scaled product. */
interface Product {
  readonly opType: 'MatMul' | 'Conv';
  readonly a: Scaled;
  readonly b: Scaled;
  readonly bias: Value | undefined;
  /** The node that gives the scaled product. */
  readonly last: Node;
  /** Further nodes that make the scaling up, those behind others first. */
  readonly scaling?: readonly Node[];
}

/** Writes a product of integers as one of floats: with its scaling, where the operator does not have it inside. */
export function floatProduct(rounding: Rounding, node: Node): boolean {
  const product = isDynamic(node) ? dynamicProduct(rounding, node) : productOf(rounding, node);
  if (product === undefined) return false;
  const { opType, a, b, bias, last, scaling = [] } = product;
  const { graph } = rounding;
  const inputs = [rounding.float(a, node), rounding.float(b, node)];
  const attributes: NodeAttributes = opType === 'Conv' ? node.attributes : new Map();
  const [output] = last.outputs;
  if (!output) return false;
  [output.dtype, output.shape] = ['float32', undefined];
  if (bias) {
    const sum = graph.define(graph.freshName(`${output.name}_product`), 'float32');
    graph.before(last, () => graph.addNode({ opType, inputs, outputs: [sum], attributes }));
    graph.replaceNode(last, { opType: 'Add', inputs: [sum, bias], outputs: [output] });
  } else graph.replaceNode(last, { opType, inputs, outputs: [output], attributes });
  for (const each of scaling) if (each.outputs.every((made) => !graph.isRead(made))) graph.remove(each);
  return true;
}

const PRODUCTS: Readonly<Record<string, Product['opType']>> = { MatMulInteger: 'MatMul', ConvInteger: 'Conv' };

function productOf(rounding: Rounding, node: Node): Product | undefined {
  const [a, b, aZero, bZero] = node.inputs;
  if (node.opType === 'MatMulIntegerToFloat') return scaledProduct(node);
  const opType = PRODUCTS[node.opType];
  const scaling = opType && scalingBehind(node);
  const aScale = a && rounding.scaleOf(a)?.scale;
  if (!opType || !scaling || !a || !b || !aScale) return undefined;
  const bScale = otherFactor(scaling.factor, aScale);
  if (!bScale || (opType === 'Conv' && !rounding.isOne({ scale: bScale, zero: undefined, axis: 0 }))) return undefined;
  const axis = opType === 'Conv' ? 0 : -1;
  return {
    opType,
    a: { value: a, scale: aScale, zero: aZero, axis: 1 },
    b: { value: b, scale: bScale, zero: bZero, axis },
    bias: undefined,
    last: scaling.node,
    scaling: [scaling.cast, node, ...(scaling.factor.producer ? [scaling.factor.producer] : [])],
  };
}

/** (A, B, scale of A, scale of B, zero point of A, of B, bias), as ONNX Runtime fuses it. */
function scaledProduct(node: Node): Product | undefined {
  const [a, b, aScale, bScale, aZero, bZero, bias] = node.inputs;
  if (!a || !b || !aScale || !bScale) return undefined;
  return {
    opType: 'MatMul',
    a: { value: a, scale: aScale, zero: aZero, axis: 1 },
    b: { value: b, scale: bScale, zero: bZero, axis: -1 },
    bias,
    last: node,
  };
}

function isDynamic({ opType }: Node): boolean {
  return opType === 'DynamicQuantizeMatMul';
}

/** (A in floats, B, scale of B, zero point of B, bias). */
function dynamicProduct({ graph }: Rounding, node: Node): Product | undefined {
  const [x, b, bScale, bZero, bias] = node.inputs;
  if (!x || !b || !bScale) return undefined;
  const named = (what: string, dtype: 'uint8' | 'float32'): Value =>
    graph.define(graph.freshName(`${x.name}_${what}`), dtype);
  const [value, scale, zero] = [named('quantized', 'uint8'), named('scale', 'float32'), named('zero_point', 'uint8')];
  graph.before(node, () =>
    graph.addNode({ opType: 'DynamicQuantizeLinear', inputs: [x], outputs: [value, scale, zero] }),
  );
  return {
    opType: 'MatMul',
    a: { value, scale, zero, axis: 1 },
    b: { value: b, scale: bScale, zero: bZero, axis: -1 },
    bias,
    last: node,
  };
}

interface Scaling {
  readonly cast: Node;
  readonly node: Node;
  readonly factor: Value;
}

/** A Cast to float32 and a Mul behind it, and nothing else: the Mul, and what it multiplies with. */
function scalingBehind({ outputs: [integers] }: Node): Scaling | undefined {
  const cast = onlyUse(integers);
  const floats = cast?.opType === 'Cast' ? cast.outputs[0] : undefined;
  const node = onlyUse(floats);
  const factor = node?.inputs.find((input) => input !== floats);
  return cast && node?.opType === 'Mul' && factor ? { cast, node, factor } : undefined;
}

function onlyUse(value: Value | undefined): Node | undefined {
  const [node] = value?.uses ?? [];
  return value?.uses.size === 1 ? node : undefined;
}

/** The other factor of a product of two scales. */
function otherFactor({ producer }: Value, scale: Value): Value | undefined {
  if (producer?.opType !== 'Mul' || !producer.inputs.includes(scale)) return undefined;
  return producer.inputs.find((input) => input !== scale);
}
