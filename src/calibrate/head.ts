import { floatAttribute, intAttribute } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type { TensorProto } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';

/** A tensor of float32 in the file that nothing else reads. */
export interface HeadTensor {
  readonly name: string;
  readonly tensor: Tensor & { readonly data: Float32Array };
}

/** The last linear layer, whose result is the scores. */
export interface LinearHead {
  readonly weight: HeadTensor;
  /** Whether a row of the weights is a class; else a column is. */
  readonly classesFirst: boolean;
  readonly bias: HeadTensor | undefined;
}

/** The linear layer that gives the scores, where its weights can be changed: a Gemm, or a MatMul with an Add. */
export function linearHead(model: Model, graph: Graph, scores: Value): LinearHead | undefined {
  const node = scores.producer;
  if (node?.domain !== '') return undefined;
  const own = (value: Value | undefined, reader: Node): HeadTensor | undefined => tensorOf(model, graph, value, reader);
  if (node.opType === 'Gemm') {
    const [, w, c] = node.inputs;
    const weight = own(w, node);
    if (!weight || intAttribute(node, 'transA', 0) !== 0 || floatAttribute(node, 'beta', 1) !== 1) return undefined;
    const bias = own(c, node);
    if (c && !bias) return undefined;
    return { weight, bias, classesFirst: intAttribute(node, 'transB', 0) === 1 };
  }
  if (node.opType === 'MatMul') return productOf(node, undefined, own);
  if (node.opType !== 'Add') return undefined;
  const [a, b] = node.inputs;
  const bias = own(a, node) ?? own(b, node);
  const product = [a, b].find((value) => value?.producer?.opType === 'MatMul');
  if (!bias || !product?.producer || product.uses.size !== 1) return undefined;
  return productOf(product.producer, bias, own);
}

function productOf(
  node: Node,
  bias: HeadTensor | undefined,
  own: (value: Value | undefined, reader: Node) => HeadTensor | undefined,
): LinearHead | undefined {
  const weight = own(node.inputs[1], node);
  return weight && { weight, bias, classesFirst: false };
}

function tensorOf(model: Model, graph: Graph, value: Value | undefined, reader: Node): HeadTensor | undefined {
  const source = value && graph.initializers.get(value);
  const constant = value?.producer?.opType === 'Constant' ? value.producer.attributes.get('value') : undefined;
  const place = source ?? (constant?.type === 'tensor' ? constant.value : undefined);
  if (!value || !place || !isView(place) || place.dtype !== 'float32') return undefined;
  const isOwn = value.uses.size === 1 && value.uses.has(reader) && !graph.outputs.includes(value);
  const { data, ...rest } = read(model, place);
  return isOwn && data instanceof Float32Array ? { name: value.name, tensor: { ...rest, data } } : undefined;
}

function read(model: Model, place: TensorProto): Tensor {
  return readTensor(model.proto.source, place, { modelDir: model.dir });
}

/** The Euclidean norm of each class's weights. */
export function normsOf({ weight, classesFirst }: LinearHead): Float64Array {
  const { dims, data } = weight.tensor;
  const [rows = 0, columns = 0] = dims;
  const squares = new Float64Array(classesFirst ? rows : columns);
  for (let i = 0; i < data.length; i++) {
    const k = classesFirst ? Math.floor(i / columns) : i % columns;
    squares[k] = (squares[k] ?? 0) + (data[i] ?? 0) ** 2;
  }
  return squares.map(Math.sqrt);
}
