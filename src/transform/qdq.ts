import type { Emitter, Value } from '../emit/index.ts';
import { intAttribute } from '../ir/attributes.ts';
import type { Graph, InitializerSource, Node } from '../ir/graph.ts';
import { fromNumbers } from '../numbers.ts';
import type { ModelProto, NodeProto, TensorProto } from '../onnx/types.ts';
import { dequantise, type Quantisation, rangeOf } from '../quantisation.ts';
import { elementCount, type Tensor } from '../tensor.ts';

type Read = (source: InitializerSource) => Tensor;

function isOperator(node: Pick<Node, 'opType' | 'domain'> | undefined, opType: string): boolean {
  return node?.opType === opType && (node.domain === '' || node.domain === 'com.microsoft');
}

/**
 * Gives every integer weight that a DequantizeLinear reads a float32 master in its place, under its name, which a QuantizeLinear rounds to
 * the file's scale before that DequantizeLinear. int32 biases, whose steps are far below what matters, are read as they are.
 *
 * @param read the elements of an initializer.
 * @returns whether there are any.
 */
export function addMasters(graph: Graph, read: Read): boolean {
  let found = false;
  for (const node of [...graph.nodes]) {
    const [weight, scale] = node.inputs;
    const source = weight && graph.initializers.get(weight);
    const how = weight && quantisationIn(graph, node, read);
    if (!weight || !scale || !source || how === undefined) continue;
    found = true;
    graph.initializers.set(weight, dequantise(read(source), how));
    weight.dtype = 'float32';
    weight.shape = source.dims;
    if (source.dtype === 'int32') {
      graph.replaceNode(node, { opType: 'Identity', inputs: [weight], outputs: node.outputs });
      continue;
    }
    const rounded = graph.define(graph.freshName('lossgraft/rounded'), source.dtype, source.dims);
    const zero = node.inputs[2] ?? zeroPoint(graph, source, how);
    const shared = { domain: node.domain, attributes: node.attributes };
    graph.before(node, () =>
      graph.addNode({ opType: 'QuantizeLinear', ...shared, inputs: [weight, scale, zero], outputs: [rounded] }),
    );
    graph.replaceNode(node, {
      opType: 'DequantizeLinear',
      ...shared,
      inputs: [rounded, scale, zero],
      outputs: node.outputs,
    });
  }
  return found;
}

/** QuantizeLinear takes its type from a zero point, so it needs one. */
function zeroPoint(graph: Graph, { dtype }: InitializerSource, { scale }: Quantisation): Value {
  const value = graph.define(graph.freshName('lossgraft/zero_point'), dtype, scale.dims);
  const zeros = Array.from({ length: elementCount(scale.dims) }, () => 0);
  const data = dtype && fromNumbers(zeros, dtype);
  if (dtype && data) graph.initializers.set(value, { dtype, dims: scale.dims, data });
  return value;
}

/** How a weight is quantised that this node alone reads: one scale for all, or one for each channel. `undefined` for another node. */
function quantisationIn(graph: Graph, node: Node, read: Read): Quantisation | undefined {
  const [weight, scale, zero] = node.inputs;
  if (!isOperator(node, 'DequantizeLinear') || !weight || !scale) return undefined;
  const sources = [weight, scale, zero].map((value) => value && graph.initializers.get(value));
  if (sources.some((source, i) => source === undefined && node.inputs[i] !== undefined)) return undefined;
  if (weight.uses.size !== 1 || graph.outputs.includes(weight) || node.outputs.length !== 1) return undefined;
  return quantisation(
    sources,
    { axis: intAttribute(node, 'axis', 1), block: intAttribute(node, 'block_size', 0) },
    read,
  );
}

function quantisation(
  [weight, scale, zero]: readonly (InitializerSource | undefined)[],
  { axis, block }: { readonly axis: number; readonly block: number },
  read: Read,
): Quantisation | undefined {
  if (!weight || rangeOf(weight.dtype) === undefined || scale?.dtype !== 'float32') return undefined;
  if (scale.dims.length > 1 || block !== 0) return undefined;
  return { scale: read(scale), zeroPoint: zero && read(zero), axis };
}

/** How the file quantises an initializer; `undefined` where it is none that {@link addMasters} takes. */
export function quantisationOf(
  { graph }: ModelProto,
  weight: TensorProto,
  read: (tensor: TensorProto) => Tensor,
): Quantisation | undefined {
  const initializer = (name: string | undefined): TensorProto | undefined =>
    graph.initializers.find((tensor) => tensor.name === name);
  const node = graph.nodes.find((each) => isOperator(each, 'DequantizeLinear') && each.inputs[0] === weight.name);
  const [, scale, zero] = node?.inputs ?? [];
  if (node === undefined) return undefined;
  const own = { axis: integer(node, 'axis', 1), block: integer(node, 'block_size', 0) };
  return quantisation([weight, initializer(scale), initializer(zero || undefined)], own, (source) =>
    read(source as TensorProto),
  );
}

/** Whether a DequantizeLinear reads an initializer of integers. */
export function isQuantisedWeight({ graph }: ModelProto, { name, dtype }: TensorProto): boolean {
  if (rangeOf(dtype) === undefined) return false;
  return graph.nodes.some((node) => isOperator(node, 'DequantizeLinear') && node.inputs[0] === name);
}

function integer({ attributes }: NodeProto, name: string, fallback: number): number {
  const found = attributes.get(name);
  return found?.type === 'int' ? Number(found.value) : fallback;
}

/**
 * Lets gradients pass a QuantizeLinear and the DequantizeLinear behind it as if nothing was rounded, where the result is not cut to the
 * type's range: the straight-through estimator, as PyTorch's fake_quantize (Bengio et al., 2013).
 */
export function straightThrough(op: Emitter): void {
  for (const node of op.graph.nodes) {
    const rounding = node.inputs[0]?.producer;
    const source = rounding?.inputs[0];
    const isPair = isOperator(node, 'DequantizeLinear') && isOperator(rounding, 'QuantizeLinear');
    if (!isPair || !rounding || !source) continue;
    node.meta = { ...node.meta, ownGradient: { source, gradient: (dy) => op.mul(dy, inRange(op, rounding, source)) } };
  }
}

/** 1 where x / scale + zero point, rounded, lies within the range of the type, else 0. */
function inRange(op: Emitter, rounding: Node, x: Value): Value {
  const [, scale, zero] = rounding.inputs;
  const range = rangeOf(rounding.outputs[0]?.dtype ?? zero?.dtype);
  if (!scale || range === undefined) throw new Error(`${rounding.name}: a QuantizeLinear without a scale or a type`);
  const perChannel = (value: Value): Value => alongAxis(op, rounding, value, x);
  const steps = op.call('Round', [op.div(x, perChannel(scale))], { shape: x.shape });
  const shifted = zero ? op.add(steps, perChannel(op.cast(zero, 'float32'))) : steps;
  const cut = op.min(op.max(shifted, range[0]), range[1]);
  return op.cast(op.equal(cut, shifted), 'float32');
}

/** A scale for each channel, in the rank of x. */
function alongAxis(op: Emitter, rounding: Node, value: Value, x: Value): Value {
  const rank = x.shape?.length;
  if (value.shape?.length !== 1 || value.shape[0] === 1 || rank === undefined) return value;
  const axis = intAttribute(rounding, 'axis', 1);
  const at = axis < 0 ? axis + rank : axis;
  return op.reshape(
    value,
    Array.from({ length: rank }, (_, i) => (i === at ? -1 : 1)),
  );
}
