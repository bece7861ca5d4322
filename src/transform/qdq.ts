import type { Emitter, Value } from '../emit/index.ts';
import { intAttribute } from '../ir/attributes.ts';
import { buildGraph } from '../ir/build.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, InitializerSource, Node, OwnGradient } from '../ir/graph.ts';
import type { ModelProto, TensorProto } from '../onnx/types.ts';
import { boundsOf, dequantise, integersAs, type Quantisation, rangeOf } from '../quantisation.ts';
import { type DataType, elementCount, type Tensor } from '../tensor.ts';
import { floatOperators } from './integerOperators.ts';
import { scaleGradient } from './learnedScales.ts';
import { clipRange, constantOf, cutTo, plainPairs, WITHIN } from './plainPairs.ts';
import { checkQuantisation, checkRounding } from './quantisationChecks.ts';
import { isDequantise, isQuantise, isQuantised, isRounding } from './quantised.ts';
import { unpackBlocks } from './unpackBlocks.ts';

type Read = (source: InitializerSource) => Tensor;

/** An integer weight of the file, the DequantizeLinear that alone reads it, and how it is quantised. */
interface QuantisedWeight {
  readonly node: Node;
  readonly weight: Value;
  readonly source: TensorProto;
  readonly how: Quantisation;
}

/**
 * Writes a quantised graph in pairs of QuantizeLinear and DequantizeLinear round operators on floats, whatever form it had.
 *
 * @returns the operators on integers that compute with floats now, and whether the pairs themselves had to be made plain.
 * @throws LossgraftError `bad-quantisation` naming a scale or zero point that cannot be.
 */
export function inPairs(
  graph: Graph,
  opset: number,
  read: Read,
): { readonly operators: readonly string[]; readonly isPlain: boolean } {
  if (!graph.nodes.some(isQuantised)) return { operators: [], isPlain: true };
  constantsAsInitializers(graph);
  const wasPlain = !plainPairs(graph, read);
  for (const node of graph.nodes) if (isRounding(node)) checkRounding(graph, node, read);
  const rewritten = floatOperators(graph, opset, read);
  const unpacked = unpackBlocks(graph, opset, read);
  for (const node of graph.nodes) mergeTwins(graph, node);
  return { operators: [...rewritten, ...unpacked], isPlain: wasPlain };
}

/**
 * Gives every integer weight that a DequantizeLinear reads a float32 master in its place, under its name, which a QuantizeLinear rounds to
 * the file's scale before that DequantizeLinear. int32 biases, whose steps are far below what matters, are read as they are.
 *
 * @param read the elements of an initializer.
 * @returns whether there are any.
 */
export function addMasters(graph: Graph, read: Read): boolean {
  const weights = quantisedWeights(graph, read);
  for (const { node, weight, source, how } of weights) {
    graph.initializers.set(weight, dequantise(read(source), how));
    weight.dtype = 'float32';
    weight.shape = source.dims;
    if (source.dtype === 'int32') {
      graph.replaceNode(node, { opType: 'Identity', inputs: [weight], outputs: node.outputs });
      continue;
    }
    const clip = how.range && node.inputs[0]?.producer;
    roundMaster(graph, node, weight, source, how);
    if (clip) graph.remove(clip);
  }
  return weights.length > 0;
}

/**
 * Puts a QuantizeLinear before the DequantizeLinear that reads a master. Numbers of 4 bits are rounded as bytes, cut to their range before:
 * the runtime's tensors of half bytes are not to be trusted within a training step.
 */
function roundMaster(graph: Graph, node: Node, master: Value, { dtype, dims }: TensorProto, how: Quantisation): void {
  const type = BYTES[dtype ?? ''] ?? dtype;
  const rounded = graph.define(graph.freshName('lossgraft/rounded'), type, dims);
  const [, scale] = node.inputs;
  const zero = type === dtype ? (node.inputs[2] ?? zeroPoint(graph, type, how)) : zeroPoint(graph, type, how);
  const source = type === dtype && !how.range ? master : inRangeOf(graph, node, master, dtype, how);
  const { opType, domain, attributes, outputs } = node;
  graph.before(node, () =>
    graph.addNode({ opType: 'QuantizeLinear', domain, attributes, inputs: [source, scale, zero], outputs: [rounded] }),
  );
  graph.replaceNode(node, { opType, domain, attributes, inputs: [rounded, scale, zero], outputs });
}

const BYTES: Readonly<Record<string, DataType>> = { int4: 'int8', uint4: 'uint8' };

/** The zero point as a constant of that type: QuantizeLinear takes its own type from it. */
function zeroPoint(
  graph: Graph,
  dtype: DataType | undefined,
  { scale: { dims }, zeroPoint: given }: Quantisation,
): Value {
  const value = graph.define(graph.freshName('lossgraft/zero_point'), dtype, dims);
  const zeros = dtype && integersAs(given, dtype, dims);
  if (zeros) graph.initializers.set(value, zeros);
  return value;
}

/** A master, cut so that it is rounded to a number of its type. */
function inRangeOf(graph: Graph, node: Node, master: Value, dtype: DataType | undefined, how: Quantisation): Value {
  const { dims } = how.scale.data.length > 1 ? { dims: (master.shape ?? []).map(Number) } : { dims: [] };
  const bounds = boundsOf(dtype, dims, how, WITHIN);
  return cutTo(graph, node, { value: master, dims, shape: master.shape }, bounds);
}

/** What of a graph in pairs {@link addMasters} takes. */
function quantisedWeights(graph: Graph, read: Read): QuantisedWeight[] {
  return graph.nodes.flatMap((node) => {
    const [integers, scale, zero] = isDequantise(node) ? node.inputs : [];
    const clip = integers?.uses.size === 1 ? clipOf(graph, integers, read) : undefined;
    const weight = clip ? clip.weight : integers;
    const [source, scales, zeros] = [weight, scale, zero].map((value) => value && graph.initializers.get(value));
    if (!weight || !source || !isView(source) || !scales || (zero && !zeros) || node.outputs.length !== 1) return [];
    if (rangeOf(source.dtype) === undefined || scales.dtype !== 'float32') return [];
    if (weight.uses.size !== 1 || graph.outputs.includes(weight)) return [];
    const attributes = { axis: intAttribute(node, 'axis', 1), block: intAttribute(node, 'block_size', 0) };
    const how = { scale: read(scales), zeroPoint: zeros && read(zeros), ...attributes, range: clip?.range };
    checkQuantisation(node, source, how);
    return [{ node, weight, source, how }];
  });
}

/** A weight of integers that a Clip cuts, as Brevitas writes them. */
function clipOf(graph: Graph, { producer }: Value, read: Read) {
  const [weight] = producer?.inputs ?? [];
  const source = weight && graph.initializers.get(weight);
  const range = source && clipRange(producer, source.dtype, (value) => constantOf(graph, value, read));
  return weight && range && { weight, range };
}

type ReadTensor = (tensor: TensorProto) => Tensor;

/** By the function that reads the file: another one may include trained scales. */
const known = new WeakMap<ReadTensor, ReadonlyMap<TensorProto, Quantisation>>();

/** How the file quantises its weights: those that {@link addMasters} takes. */
export function quantisations(proto: ModelProto, read: ReadTensor): ReadonlyMap<TensorProto, Quantisation> {
  const before = known.get(read);
  if (before) return before;
  const graph = buildGraph(proto);
  const readAny = (source: InitializerSource): Tensor => (isView(source) ? read(source) : source);
  inPairs(graph, proto.opsetImports.get('') ?? 1, readAny);
  const found = new Map(quantisedWeights(graph, readAny).map(({ source, how }) => [source, how]));
  known.set(read, found);
  return found;
}

/**
 * The steps of int32 biases that follow the trained scales of their layers' weights, by name: a bias is stored in steps of its layer's input
 * scale times its weight scale. QOperator files store no such steps.
 */
export function biasScales(
  proto: ModelProto,
  read: ReadTensor,
  trained: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> {
  const graph = buildGraph(proto);
  const found = new Map<string, Tensor>();
  for (const { inputs } of graph.nodes) {
    const [, weight, bias] = inputs.map((input) => input?.producer);
    const [before, own] = [weight, bias].map((node) => (node && isDequantise(node) ? node.inputs[1] : undefined));
    const after = before && trained.get(before.name);
    const [old, step] = [before, own].map((value) => value && graph.initializers.get(value));
    if (!own || !after || !old || !step || !isView(old) || !isView(step) || found.has(own.name)) continue;
    const [from, base] = [read(old), read(step)];
    const at = ({ data }: Tensor, i: number): number => Number(data[data.length === 1 ? 0 : i]);
    const data = Float32Array.from({ length: base.data.length }, (_, i) => (at(base, i) * at(after, i)) / at(from, i));
    found.set(own.name, { dtype: 'float32', dims: base.dims, data });
  }
  return found;
}

/** What quantised operators read from Constant nodes becomes initializers, under the same names. */
function constantsAsInitializers(graph: Graph): void {
  for (const node of graph.nodes) {
    const tensor = node.opType === 'Constant' && node.domain === '' ? node.attributes.get('value') : undefined;
    const [value] = node.outputs;
    if (tensor?.type !== 'tensor' || !value || graph.outputs.includes(value)) continue;
    if (![...value.uses].some(isQuantised)) continue;
    value.producer = undefined;
    [value.dtype, value.shape] = [tensor.value.dtype, tensor.value.dims];
    graph.initializers.set(value, tensor.value);
    graph.remove(node);
  }
}

/** A second node that dequantises the same weight in the same way gives way to the first. */
function mergeTwins(graph: Graph, node: Node): void {
  const [weight] = node.inputs;
  const [output] = node.outputs;
  if (!isDequantise(node) || !weight || !output || !graph.initializers.has(weight)) return;
  for (const other of weight.uses) {
    const [twin] = other.outputs;
    if (other === node || !isDequantise(other) || !twin || graph.outputs.includes(twin)) continue;
    const isSame =
      other.inputs.every((input, i) => input === node.inputs[i]) && other.inputs.length === node.inputs.length;
    if (!isSame || !sameAttributes(node, other)) continue;
    graph.replaceUses(twin, output);
    graph.remove(other);
  }
}

function sameAttributes(a: Node, b: Node): boolean {
  return ['axis', 'block_size'].every((name) => intAttribute(a, name, 0) === intAttribute(b, name, 0));
}

/**
 * Lets gradients pass a QuantizeLinear and the DequantizeLinear behind it as if nothing was rounded, where the result is not cut to the
 * type's range: the straight-through estimator, as PyTorch's fake_quantize (Bengio et al., 2013). A DynamicQuantizeLinear cuts nothing.
 *
 * @param scales the trained ones: see {@link scaleGradient}.
 */
export function straightThrough(op: Emitter, scales: ReadonlySet<Value> = NONE): void {
  for (const node of op.graph.nodes) {
    const rounding = node.inputs[0]?.producer;
    const source = rounding?.inputs[0];
    if (!isDequantise(node) || !rounding || !source) continue;
    if (isQuantise(rounding)) {
      const gradient = (dy: Value): Value => op.mul(dy, inRange(op, rounding, source));
      const [, scale] = rounding.inputs;
      const setting = scale && scales.has(scale) ? { setting: ofScale(op, rounding, source, scale) } : {};
      node.meta = { ...node.meta, ownGradient: { source, gradient, ...setting } };
    } else if (rounding.opType === 'DynamicQuantizeLinear')
      node.meta = { ...node.meta, ownGradient: { source, gradient: (dy) => dy } };
  }
}

const NONE: ReadonlySet<Value> = new Set();

function ofScale(op: Emitter, rounding: Node, x: Value, scale: Value): NonNullable<OwnGradient['setting']> {
  const perElement = (value: Value): Value => spread(op, rounding, value, x);
  const gradient = (dy: Value): Value =>
    scaleGradient(op, { rounding, x, dy, inRange: inRange(op, rounding, x) }, perElement);
  return { source: scale, gradient };
}

/** 1 where x / scale + zero point, rounded, lies within the range of the type, else 0. */
function inRange(op: Emitter, rounding: Node, x: Value): Value {
  const [, scale, zero] = rounding.inputs;
  const range = rangeOf(rounding.outputs[0]?.dtype ?? zero?.dtype);
  if (!scale || range === undefined) throw new Error(`${rounding.name}: a QuantizeLinear without a scale or a type`);
  const perElement = (value: Value): Value => spread(op, rounding, value, x);
  const steps = op.call('Round', [op.div(x, perElement(scale))], { shape: x.shape });
  const shifted = zero ? op.add(steps, perElement(op.cast(zero, 'float32'))) : steps;
  const cut = op.min(op.max(shifted, range[0]), range[1]);
  return op.cast(op.equal(cut, shifted), 'float32');
}

/** Scales as they multiply x: of a tensor, of a channel in the rank of x, or of a block once for each of its elements. */
function spread(op: Emitter, rounding: Node, value: Value, x: Value): Value {
  const rank = x.shape?.length;
  const dims = value.shape?.map(Number);
  if (!dims || rank === undefined || elementCount(dims) === 1) return value;
  const axis = intAttribute(rounding, 'axis', 1);
  const at = axis < 0 ? axis + rank : axis;
  const block = intAttribute(rounding, 'block_size', 0);
  if (block === 0)
    return op.reshape(
      value,
      Array.from({ length: rank }, (_, i) => (i === at ? -1 : 1)),
    );
  const [before, after] = [dims.slice(0, at), dims.slice(at + 1)];
  const blocks = dims[at] ?? 1;
  const copied = op.expand(
    op.reshape(value, [...before, blocks, 1, ...after]),
    op.vector([...before, blocks, block, ...after]),
  );
  const whole = op.reshape(copied, [...before, blocks * block, ...after]);
  const length = x.shape?.[at];
  if (typeof length !== 'number') throw new Error(`${rounding.name}: blocks along an axis of unknown length`);
  return op.slice(whole, { axes: [at], starts: [0], ends: [length] });
}
