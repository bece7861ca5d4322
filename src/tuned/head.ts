import { floatAttribute, intAttribute } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type { TensorProto } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';

/** A float32 tensor in the file with a single reader. */
export interface HeadTensor {
  readonly name: string;
  readonly tensor: Tensor & { readonly data: Float32Array };
}

/** The last linear layer, which computes the scores. */
export interface LinearHead {
  readonly weight: HeadTensor;
  /** Whether a class is a row of the weights; otherwise it is a column. */
  readonly classesFirst: boolean;
  readonly bias: HeadTensor | undefined;
}

/**
 * The linear layer that computes the scores, if its weights can be changed: a Gemm, a MatMul with or without an Add, or a convolution
 * whose result may be averaged over all positions. Nodes that rearrange its elements may follow.
 *
 * @param classes how many scores a sample has.
 */
export function linearHead(model: Model, graph: Graph, scores: Value, classes: number): LinearHead | undefined {
  const { value, isPooled } = beforeLayout(graph, scores);
  const head = headAt(model, graph, value);
  if (!head || (isPooled && value.producer?.opType !== 'Conv')) return undefined;
  const { weight, classesFirst } = head;
  return weight.tensor.dims.at(classesFirst ? 0 : -1) === classes ? head : undefined;
}

const LAYOUTS: ReadonlySet<string> = new Set(['Identity', 'Flatten', 'Reshape', 'Squeeze']);
/** The mean of z · s + b over all positions is the mean of z, times s, plus b. */
const POOL = 'GlobalAveragePool';

function beforeLayout(graph: Graph, scores: Value): { readonly value: Value; readonly isPooled: boolean } {
  let value = scores;
  let isPooled = false;
  for (;;) {
    const { opType = '', domain, inputs: [input] = [] } = value.producer ?? {};
    const isPassed = domain === '' && (LAYOUTS.has(opType) || opType === POOL);
    if (!isPassed || !input || input.uses.size !== 1 || graph.outputs.includes(input)) return { value, isPooled };
    isPooled ||= opType === POOL;
    value = input;
  }
}

function headAt(model: Model, graph: Graph, scores: Value): LinearHead | undefined {
  const node = scores.producer;
  if (node?.domain !== '') return undefined;
  const own = (value: Value | undefined, reader: Node): HeadTensor | undefined => tensorOf(model, graph, value, reader);
  const [a, b, c] = node.inputs;
  switch (node.opType) {
    case 'Gemm':
    case 'Conv': {
      const weight = own(b, node);
      if (!weight || intAttribute(node, 'transA', 0) !== 0 || floatAttribute(node, 'beta', 1) !== 1) return undefined;
      const bias = own(c, node);
      if (c && !bias) return undefined;
      return { weight, bias, classesFirst: node.opType === 'Conv' || intAttribute(node, 'transB', 0) === 1 };
    }
    case 'MatMul':
      return productOf(node, undefined, own);
    case 'Add': {
      const bias = own(a, node) ?? own(b, node);
      const product = [a, b].find((value) => value?.producer?.opType === 'MatMul');
      if (!bias || !product?.producer || product.uses.size !== 1 || graph.outputs.includes(product)) return undefined;
      return productOf(product.producer, bias, own);
    }
    default:
      return undefined;
  }
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
  const classes = dims.at(classesFirst ? 0 : -1) ?? 0;
  const features = data.length / classes;
  const squares = new Float64Array(classes);
  for (let i = 0; i < data.length; i++) {
    const k = classesFirst ? Math.floor(i / features) : i % classes;
    squares[k] = (squares[k] ?? 0) + (data[i] ?? 0) ** 2;
  }
  return squares.map(Math.sqrt);
}

/** Scores of class k become scale[k] · z + offset[k]. */
export interface Affine {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

/** The layer's tensors with mapped scores; `undefined` if an offset, or a scale of the bias, has no bias to act on. */
export function mappedHead(
  { weight, bias, classesFirst }: LinearHead,
  { scale, offset }: Affine,
): Map<string, Tensor> | undefined {
  const hasScale = scale.some((value) => value !== 1);
  const hasOffset = offset.some((value) => value !== 0);
  if (hasOffset && bias?.tensor.data.length !== offset.length) return undefined;
  const state = new Map<string, Tensor>();
  if (hasScale) {
    const { data } = weight.tensor;
    const features = data.length / scale.length;
    const scaled = data.map((w, i) => w * (scale[classesFirst ? Math.floor(i / features) : i % scale.length] ?? 1));
    state.set(weight.name, { ...weight.tensor, data: scaled });
  }
  if (bias && bias.tensor.data.length === offset.length) {
    const data = bias.tensor.data.map((b, k) => (scale[k] ?? 1) * b + (offset[k] ?? 0));
    state.set(bias.name, { ...bias.tensor, data });
  } else if (bias && hasScale) return undefined;
  return state;
}
