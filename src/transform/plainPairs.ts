import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import { boundsOf, integersOf, type Quantisation, rangeOf } from '../quantisation.ts';
import type { DataType, Tensor } from '../tensor.ts';
import { isDequantise, isQuantise } from './quantised.ts';

type Read = (source: InitializerSource) => Tensor;

/**
 * Takes out of the way what exporters write between a QuantizeLinear and its DequantizeLinear: casts of integers to their own type, and
 * bounds that a Clip cuts integers to, which are then cut before they are rounded. Zero points that are computed as zeros become constants.
 *
 * @returns whether there was anything.
 */
export function plainPairs(graph: Graph, read: Read): boolean {
  const rewritten = graph.nodes.filter((node) => dropCast(graph, node, read) || cutBefore(graph, node, read));
  const filled = graph.nodes.filter((node) => isDequantise(node) && fillZeroPoint(graph, node, read));
  return rewritten.length + filled.length > 0;
}

/** TensorProto.DataType of the types that activations are rounded to. */
const CODES: ReadonlyMap<bigint, DataType> = new Map([
  [2n, 'uint8'],
  [3n, 'int8'],
  [4n, 'uint16'],
  [5n, 'int16'],
]);

function dropCast(graph: Graph, node: Node, read: Read): boolean {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const to = node.attributes.get('to');
  if (node.opType !== 'Cast' || node.domain !== '' || to?.type !== 'int' || !input || !output) return false;
  const type = CODES.get(to.value);
  if (!type || graph.outputs.includes(output) || type !== roundedType(graph, input, read)) return false;
  graph.replaceUses(output, input);
  graph.remove(node);
  return true;
}

/** The type of what a QuantizeLinear made, also once it was moved. */
function roundedType(graph: Graph, value: Value, read: Read): DataType | undefined {
  const { producer } = value;
  if (producer && isQuantise(producer)) return howRounded(graph, producer, read)?.dtype;
  const [moved] = producer?.opType === 'MaxPool' || producer?.opType === 'Clip' ? producer.inputs : [];
  return moved && roundedType(graph, moved, read);
}

interface Rounded extends Quantisation {
  readonly dtype: DataType;
}

/** One scale, and a zero point that is constant. */
function howRounded(graph: Graph, { inputs: [, scale, zero] }: Node, read: Read): Rounded | undefined {
  const [scales, zeros] = [scale, zero].map((value) => value && graph.initializers.get(value));
  if (!scales || (zero && !zeros) || scales.dims.some((dim) => dim !== 1)) return undefined;
  const zeroPoint = zeros && read(zeros);
  return { scale: read(scales), zeroPoint, axis: 1, block: 0, dtype: zeroPoint?.dtype ?? 'uint8' };
}

/** The bounds of a Clip on integers, if they are constants. */
export function clipRange(
  node: Node | undefined,
  dtype: DataType | undefined,
  constant: (value: Value) => Tensor | undefined,
): readonly [number, number] | undefined {
  const [low, high] = rangeOf(dtype) ?? [];
  if (node?.opType !== 'Clip' || node.domain !== '' || low === undefined || high === undefined) return undefined;
  const [, ...bounds] = node.inputs;
  const [least, most] = [0, 1].map((i) => {
    const value = bounds[i];
    const tensor = value && constant(value);
    return value && !tensor ? undefined : Number(tensor ? integersOf(tensor)[0] : [low, high][i]);
  });
  return least === undefined || most === undefined ? undefined : [least, most];
}

/** A Clip behind a QuantizeLinear becomes one of floats before it. */
function cutBefore(graph: Graph, node: Node, read: Read): boolean {
  const [rounded] = node.inputs;
  const [output] = node.outputs;
  const quantise = rounded?.producer;
  const [x] = quantise?.inputs ?? [];
  if (!quantise || !isQuantise(quantise) || !x || !output || rounded.uses.size > 1) return false;
  if ([rounded, output].some((value) => graph.outputs.includes(value))) return false;
  const how = howRounded(graph, quantise, read);
  const range = how && clipRange(node, how.dtype, (value) => constantOf(graph, value, read));
  if (!how || !range) return false;
  const cut = cutTo(
    graph,
    quantise,
    { value: x, dims: [], shape: x.shape },
    boundsOf(how.dtype, [], { ...how, range }, WITHIN),
  );
  quantise.inputs = quantise.inputs.map((input, i) => (i === 0 ? cut : input));
  x.uses.delete(quantise);
  cut.uses.add(quantise);
  graph.replaceUses(output, rounded);
  graph.remove(node);
  return true;
}

export function constantOf(graph: Graph, value: Value, read: Read): Tensor | undefined {
  const source = graph.initializers.get(value);
  const tensor = value.producer?.opType === 'Constant' ? value.producer.attributes.get('value') : undefined;
  if (source) return read(source);
  return tensor?.type === 'tensor' ? read(tensor.value) : undefined;
}

/** Where rounding to even stays within the range: short of half a step beyond it. */
export const WITHIN = 0.49999;

/** A value between two bounds, which are constants, before `node` reads it. */
export function cutTo(
  graph: Graph,
  node: Node,
  {
    value: given,
    dims,
    shape,
  }: { readonly value: Value; readonly dims: readonly number[]; readonly shape: Value['shape'] },
  bounds: readonly Float32Array[],
): Value {
  return bounds.reduce((value, data, i) => {
    const bound = graph.define(graph.freshName('lossgraft/bound'), 'float32', dims);
    graph.initializers.set(bound, { dtype: 'float32', dims, data });
    const cut = graph.define(graph.freshName('lossgraft/cut'), 'float32', shape);
    const opType = i === 0 ? 'Max' : 'Min';
    graph.before(node, () => graph.addNode({ opType, inputs: [value, bound], outputs: [cut] }));
    return cut;
  }, given);
}

/** A zero point as torch.onnx writes that of a bias: a ConstantOfShape, cast. */
function fillZeroPoint(graph: Graph, node: Node, read: Read): boolean {
  const [value, , zero] = node.inputs;
  const weight = value && graph.initializers.get(value);
  if (!zero || !weight || graph.initializers.has(zero) || !isZeros(zero, read)) return false;
  node.inputs = node.inputs.slice(0, 2);
  zero.uses.delete(node);
  return true;
}

/** Whether a value is computed as zeros: by a ConstantOfShape, cast or not. */
export function isZeros({ producer }: Value, read: Read): boolean {
  const [input] = producer?.inputs ?? [];
  if (producer?.opType === 'Cast') return input !== undefined && isZeros(input, read);
  const filling = producer?.attributes.get('value');
  if (producer?.opType !== 'ConstantOfShape') return false;
  return filling?.type !== 'tensor' || Number(read(filling.value).data[0]) === 0;
}
