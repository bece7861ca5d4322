import { intAttribute } from '../../ir/attributes.ts';
import type { Graph, Node, Value } from '../../ir/graph.ts';
import { fromNumbers } from '../../numbers.ts';
import type { AttributeInit, InitializerInit, NodeInit } from '../../onnx/types.ts';
import type { DataType, Tensor } from '../../tensor.ts';

/** Nodes that replace another one. */
export interface Thinned {
  readonly node: Node;
  readonly nodes: readonly NodeInit[];
  readonly initializers: readonly InitializerInit[];
}

/** One operand and the axis along which it is sliced. */
interface Cut {
  /** The weights' dimensions, with one element left along the summed axis. */
  readonly weights: readonly number[];
  /** The other operand. */
  readonly axis: number;
  readonly kept: number;
  readonly attributes: ReadonlyMap<string, AttributeInit>;
}

/**
 * Convolutions and products with zero weights that sum over one channel instead of all: their results have the same sizes, without time
 * or memory for weights.
 */
export function thinned(graph: Graph, isZeros: (weights: Value) => boolean): Thinned[] {
  return graph.nodes.flatMap((node) => {
    const [x, w] = node.inputs;
    const cut = x && w && node.proto && node.domain === '' && isZeros(w) ? cutOf(node, w) : undefined;
    return x && w?.dtype && cut ? [thinnedBy(node, x, w.dtype, cut)] : [];
  });
}

function cutOf(node: Node, w: Value): Cut | undefined {
  const dims = (w.shape ?? []).map(Number);
  const [rows = 1, columns = 1, ...kernel] = dims;
  const attributes = numbersOf(node);
  if (node.opType === 'Conv' && kernel.length > 0) {
    const kept = intAttribute(node, 'group', 1);
    return { weights: [rows, 1, ...kernel], axis: 1, kept, attributes };
  }
  if (dims.length !== 2) return undefined;
  if (node.opType === 'MatMul') return { weights: [1, columns], axis: -1, kept: 1, attributes };
  if (node.opType !== 'Gemm' || intAttribute(node, 'transA', 0) === 1) return undefined;
  const isTurned = intAttribute(node, 'transB', 0) === 1;
  return { weights: isTurned ? [rows, 1] : [1, columns], axis: 1, kept: 1, attributes };
}

function numbersOf({ attributes }: Node): ReadonlyMap<string, AttributeInit> {
  const kept: [string, AttributeInit][] = [];
  for (const [name, value] of attributes) {
    const { type } = value;
    if (type === 'int' || type === 'float' || type === 'string' || type === 'ints') kept.push([name, value]);
  }
  return new Map(kept);
}

function thinnedBy(node: Node, x: Value, dtype: DataType, { weights, axis, kept, attributes }: Cut): Thinned {
  const own = (part: string): string => `lossgraft/thin/${node.outputs[0]?.name ?? node.name}/${part}`;
  const vector = (part: string, values: readonly number[]): InitializerInit => {
    const tensor: Tensor = { dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, BigInt) };
    return { name: own(part), tensor };
  };
  const ends = [vector('starts', [0]), vector('ends', [kept]), vector('axes', [axis])];
  const type = dtype === 'bfloat16' ? 'float32' : dtype;
  const zero = { dtype: type, dims: [1], data: fromNumbers([0], type) ?? new Float32Array(1) };
  const zeros = new Map([['value', { type: 'tensor', value: zero } as const]]);
  const made = (opType: string, part: string, inputs: readonly string[], values: NodeInit['attributes']): NodeInit => ({
    name: own(part),
    opType,
    inputs,
    outputs: [own(part)],
    ...(values ? { attributes: values } : {}),
  });
  const rest = node.inputs.slice(2).map((input) => input?.name ?? '');
  return {
    node,
    nodes: [
      made('Slice', 'x', [x.name, ...ends.map(({ name }) => name)], undefined),
      made('ConstantOfShape', 'w', [own('shape')], zeros),
      {
        name: own('product'),
        opType: node.opType,
        inputs: [own('x'), own('w'), ...rest],
        outputs: node.outputs.map((output) => output?.name ?? ''),
        attributes,
      },
    ],
    initializers: [...ends, vector('shape', weights)],
  };
}
