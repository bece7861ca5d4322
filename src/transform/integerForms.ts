import { intAttribute } from '../ir/attributes.ts';
import type { Node, Value } from '../ir/graph.ts';

/** A tensor of quantised numbers, with what they stand for: (number − zero point) · scale, one of each for a tensor or a channel. */
export interface Scaled {
  readonly value: Value;
  readonly scale: Value;
  readonly zero: Value | undefined;
  /** Of the channels. */
  readonly axis: number;
}

/** An operator on quantised numbers, and the one on floats that it rounds. Places are positions among its inputs. */
export interface IntegerForm {
  readonly opType: string;
  /** Where a tensor stands, with its scale and its zero point behind it. */
  readonly tensors: readonly number[];
  /** The axis of each tensor's scales, where they are several. */
  readonly axes?: readonly number[];
  /** An int32 bias, in steps of the product of the first two scales. */
  readonly bias?: number;
  /** The scale of the output, with its zero point behind it. */
  readonly output: number;
  /** An input that is no tensor of quantised numbers, and comes first. */
  readonly plain?: number;
  /** Attributes that the operator on floats does not have. */
  readonly own?: readonly string[];
}

const unary = (opType: string, own: readonly string[] = []): IntegerForm => ({ opType, tensors: [0], output: 3, own });
const binary = (opType: string): IntegerForm => ({ opType, tensors: [0, 3], output: 6 });

const FORMS: Readonly<Record<string, (node: Node) => IntegerForm>> = {
  QLinearConv: () => ({ ...binary('Conv'), axes: [1, 0], bias: 8, own: ['channels_last'] }),
  QLinearMatMul: () => ({ ...binary('MatMul'), axes: [-2, -1] }),
  QGemm: (node) => ({
    opType: 'Gemm',
    tensors: [0, 3],
    axes: [1, intAttribute(node, 'transB', 0) === 1 ? 0 : 1],
    bias: 6,
    output: 7,
  }),
  QLinearAdd: () => binary('Add'),
  QLinearMul: () => binary('Mul'),
  QLinearSigmoid: () => unary('Sigmoid'),
  QLinearLeakyRelu: () => unary('LeakyRelu'),
  QLinearSoftmax: () => unary('Softmax', ['opset']),
  QLinearGlobalAveragePool: () => unary('GlobalAveragePool', ['channels_last']),
  QLinearAveragePool: () => unary('AveragePool', ['channels_last']),
  QLinearConcat: ({ inputs }) => ({
    opType: 'Concat',
    tensors: inputs.flatMap((_, i) => (i % 3 === 2 ? [i] : [])),
    output: 0,
  }),
  QLinearWhere: () => ({ opType: 'Where', plain: 0, tensors: [1, 4], output: 7 }),
};

/** `undefined` for an operator that is none, or one of a form that has no float counterpart here. */
export function formOf(node: Node, opset: number): IntegerForm | undefined {
  const form = Object.hasOwn(FORMS, node.opType) ? FORMS[node.opType]?.(node) : undefined;
  if (form === undefined || intAttribute(node, 'channels_last', 0) === 1) return undefined;
  // Softmax before opset 13 means another one, unless the model has it too.
  const isOther = node.opType === 'QLinearSoftmax' && intAttribute(node, 'opset', opset) >= 13 !== opset >= 13;
  return isOther ? undefined : form;
}

/** A tensor that a node reads together with a scale. */
export function scaledInput({ inputs }: Node, at: number, axis = 1): Scaled | undefined {
  const [value, scale, zero] = inputs.slice(at, at + 3);
  return value && scale ? { value, scale, zero, axis } : undefined;
}
