import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type { Quantisation } from '../quantisation.ts';
import type { Tensor } from '../tensor.ts';

/** A constant and the node that reads it. */
export interface Holder {
  readonly value: Value;
  readonly reader: Node;
  /** A second node that reads it in the same sense. */
  readonly also?: Node;
}

/** A constant as stored in the file: an initializer, or the tensor of a Constant node. */
export interface Stored extends Holder {
  /** Its numbers: what integers stand for, if it is quantised. */
  readonly tensor: Tensor;
  /** Its class axis. */
  readonly axis: number;
  /** How it is rounded, if its file holds integers. */
  readonly rounding?: StoredRounding | undefined;
  /** What lies between it and the layer, with the class axis of each. */
  readonly passed?: ReadonlyMap<Value, number>;
}

/** How a file rounds a constant of its last layer. */
export interface StoredRounding {
  readonly integers: Tensor;
  readonly how: Quantisation;
  /** Where its scale and zero point stand; nowhere if the operator derives them. */
  readonly scale: Holder | undefined;
  readonly zero: Holder | undefined;
  /** Whether the file holds floats, and rounds them when it runs. */
  readonly isFloat?: boolean;
}

/** The scale and the zero point to which a result is rounded. */
export interface ResultRounding {
  readonly scale: Value;
  readonly zero: Value | undefined;
}

/** The last linear layer of a classifier, as stored in its file. */
export interface LinearLayer {
  /** A Gemm, a MatMul or a Conv; an operator on integers that means one, or the node that scales its result. */
  readonly node: Node;
  /** Its input. */
  readonly features: Value;
  /** `rows` [N, …, H], `columns` [H, N], or `channels` [N, H, …]. */
  readonly layout: 'rows' | 'columns' | 'channels';
  readonly weight: Stored;
  /** Its own bias input; a later Add is found behind it. */
  readonly bias: Stored | undefined;
  /** The factors on the product and the bias. */
  readonly alpha: number;
  readonly beta: number;
  /** The number of scores per sample. */
  readonly outputs: number;
  /** The score axis of its result. */
  readonly axis: number;
  /** How the node itself rounds its result. */
  readonly rounds?: ResultRounding | undefined;
}

/** The elements of an initializer or of a Constant node, whatever attribute holds them; `undefined` for anything else. */
export function elementsOf(model: Model, graph: Graph, value: Value): Tensor | undefined {
  const source = graph.initializers.get(value);
  if (source) return isView(source) ? readTensor(model.proto.source, source, { modelDir: model.dir }) : source;
  const node = value.producer;
  if (node?.opType !== 'Constant' || node.domain !== '') return undefined;
  const [attribute] = node.attributes.values();
  switch (attribute?.type) {
    case 'tensor': {
      const { value: tensor } = attribute;
      return 'span' in tensor ? readTensor(model.proto.source, tensor, { modelDir: model.dir }) : tensor;
    }
    case 'floats':
      return { dtype: 'float32', dims: [attribute.value.length], data: Float32Array.from(attribute.value) };
    case 'float':
      return { dtype: 'float32', dims: [], data: Float32Array.of(attribute.value) };
    case 'ints':
      return { dtype: 'int64', dims: [attribute.value.length], data: BigInt64Array.from(attribute.value) };
    case 'int':
      return { dtype: 'int64', dims: [], data: BigInt64Array.of(attribute.value) };
    case 'strings':
      return { dtype: 'string', dims: [attribute.value.length], data: [...attribute.value] };
    default:
      return undefined;
  }
}

/** Whether other nodes read a value too, or it is an output. */
export function isShared(graph: Graph, value: Value): boolean {
  return value.uses.size > 1 || graph.outputs.includes(value);
}
