import { int, intAttribute } from '../ir/attributes.ts';
import type { Graph, InitializerSource, Node, NodeSpec, Value } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';

type Read = (source: InitializerSource) => Tensor;

/** Bits of a weight that make up a byte. */
const WIDTHS = new Set([2, 4, 8]);

/** The weights of a MatMulNBits, one byte for each: a row for each block of each output. */
interface Unpacked {
  readonly numbers: Tensor;
  readonly scales: Tensor;
  readonly zeroPoints: Tensor;
  /** Outputs, blocks of each, and numbers in a block; of a row `K` count. */
  readonly outputs: number;
  readonly blocks: number;
  readonly block: number;
  readonly K: number;
}

/**
 * Writes MatMulNBits as a MatMul with weights that a DequantizeLinear scales, one byte for each, so that gradients pass it to what comes
 * before. The weights themselves stay as they are: the file packs several of them into a byte.
 *
 * @returns its name, if there was one.
 */
export function unpackBlocks(graph: Graph, opset: number, read: Read): readonly string[] {
  const unpacked = graph.nodes.filter((node) => {
    const weights = node.opType === 'MatMulNBits' ? weightsOf(graph, node, read) : undefined;
    if (weights) asMatMul(graph, node, weights, opset >= 13 ? '' : 'com.microsoft');
    return weights !== undefined;
  });
  return unpacked.length > 0 ? ['MatMulNBits'] : [];
}

/** `undefined` for a form that is not known. */
function weightsOf(graph: Graph, node: Node, read: Read): Unpacked | undefined {
  const [, weight, scale, zero, order] = node.inputs;
  const sources = [weight, scale, zero].map((value) => value && graph.initializers.get(value));
  const [packed, scales, zeros] = sources.map((source) => source && read(source));
  const bits = intAttribute(node, 'bits', 4);
  const isKnown = packed && scales?.dtype === 'float32' && !order && (!zero || zeros?.dtype === 'uint8');
  if (!isKnown || !WIDTHS.has(bits)) return undefined;
  const [outputs = 0, K = 0, block = 1] = ['N', 'K', 'block_size'].map((name) => intAttribute(node, name, 0));
  const blocks = Math.ceil(K / block);
  const rows = outputs * blocks;
  const points = zeros ? bytesOf(zeros, bits, [outputs, blocks]) : new Uint8Array(rows).fill(2 ** (bits - 1));
  return {
    numbers: { dtype: 'uint8', dims: [rows, block], data: bytesOf(packed, bits, [rows, block]) },
    scales: { dtype: 'float32', dims: [rows], data: scales.data },
    zeroPoints: { dtype: 'uint8', dims: [rows], data: points },
    outputs,
    blocks,
    block,
    K,
  };
}

function asMatMul(graph: Graph, node: Node, weights: Unpacked, domain: string): void {
  const [x, weight, , , , bias] = node.inputs;
  const named = (name: string, like: Pick<Tensor, 'dtype'> = { dtype: 'float32' }): Value =>
    graph.define(graph.freshName(`${weight?.name}_${name}`), like.dtype);
  const constant = (name: string, tensor: Tensor): Value => {
    const value = named(name, tensor);
    value.shape = tensor.dims;
    graph.initializers.set(value, tensor);
    return value;
  };
  const vector = (name: string, numbers: readonly number[]): Value =>
    constant(name, { dtype: 'int64', dims: [numbers.length], data: BigInt64Array.from(numbers, BigInt) });
  const call = (spec: Omit<NodeSpec, 'outputs'>, name: string): Value => {
    const output = named(name);
    graph.before(node, () => graph.addNode({ ...spec, outputs: [output] }));
    return output;
  };
  const { numbers, scales, zeroPoints, outputs, blocks, block, K } = weights;
  const scaled = [constant('unpacked', numbers), constant('scales', scales), constant('zero_points', zeroPoints)];
  const attributes = new Map([['axis', int(0)]]);
  const rows = call({ opType: 'DequantizeLinear', domain, inputs: scaled, attributes }, 'rows');
  const matrix = call({ opType: 'Reshape', inputs: [rows, vector('shape', [outputs, blocks * block])] }, 'matrix');
  const range = [vector('starts', [0]), vector('ends', [K]), vector('axes', [1])];
  const turned = call(
    { opType: 'Transpose', inputs: [call({ opType: 'Slice', inputs: [matrix, ...range] }, 'cut')] },
    'turned',
  );
  const product = { name: node.name, opType: 'MatMul', inputs: [x, turned] };
  const last = bias ? { opType: 'Add', inputs: [call(product, 'product'), bias] } : product;
  graph.replaceNode(node, { ...last, outputs: node.outputs });
}

/** Numbers of a few bits as bytes, the first in the lowest bits; every row begins with a byte of its own. */
function bytesOf({ data }: Tensor, bits: number, [rows, length]: readonly [number, number]): Uint8Array {
  const perByte = 8 / bits;
  const bytesPerRow = Math.ceil(length / perByte);
  return Uint8Array.from({ length: rows * length }, (_, i) => {
    const [row, at] = [Math.floor(i / length), i % length];
    const byte = Number(data[row * bytesPerRow + Math.floor(at / perByte)]);
    return (byte >> (bits * (at % perByte))) & (2 ** bits - 1);
  });
}
