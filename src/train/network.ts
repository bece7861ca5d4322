import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import type { Model } from '../model.ts';
import type { NetworkSize } from '../records/methods.ts';
import { elementCount } from '../tensor.ts';
import { constantTensor, isConstant } from '../transform/constants.ts';
import { dependents } from '../transform/differentiate.ts';
import { findLogits, namedLogits } from '../transform/logits.ts';
import { selectParameters } from '../transform/parameters.ts';
import { prepare } from '../transform/prepare.ts';

/** How much of a model is trained, and whether it has attention. @throws LossgraftError if nothing can be trained. */
export async function networkSize(
  model: Model,
  { trainable, logits }: { readonly trainable: string; readonly logits: string | undefined },
): Promise<NetworkSize> {
  const { graph, opset } = await prepare(model, { batchNorm: 'frozen', dropout: 'off' });
  const found = logits === undefined ? findLogits(graph, opset) : namedLogits(graph, logits, opset);
  const { parameters } = selectParameters(graph, trainable, found.value);
  const trained = parameters.reduce((sum, { source }) => sum + elementCount(source.dims), 0);
  // Attention before the first trained weight is frozen: then the last layer is like any other.
  const after = dependents(
    topologicalOrder(graph),
    parameters.map(({ value }) => value),
  );
  const isTrained = ({ outputs }: Node): boolean => outputs.some((output) => output !== undefined && after.has(output));
  const scales = graph.nodes.flatMap((node) => scaleOf(graph, node) ?? []);
  const isOne = (value: Value): boolean => {
    const { data = [] } = constantTensor(model.proto, graph, value, model.dir) ?? {};
    return data.length > 0 && Array.from<number | bigint | string>(data).every((number) => Number(number) === 1);
  };
  const isFresh = scales.length > 0 && [...new Set(scales)].every(isOne);
  return { trained, hasAttention: graph.nodes.some((node) => isAttention(node) && isTrained(node)), isFresh };
}

/** The scales of layer norms: of the operator, or of (x − mean) / √variance, as opsets below 17 write it. */
function scaleOf(graph: Graph, { opType, inputs }: Node): Value | undefined {
  if (opType === 'LayerNormalization') return inputs[1];
  if (opType !== 'Mul') return undefined;
  const isNormed = inputs.some((input) => {
    const { producer } = input ?? {};
    return producer?.opType === 'Div' && producer.inputs[1]?.producer?.opType === 'Sqrt';
  });
  return isNormed ? inputs.find((input) => input && isConstant(graph, input)) : undefined;
}

const ATTENTION = new Set(['Attention', 'MultiHeadAttention', 'GroupQueryAttention', 'PackedAttention']);
const PRODUCTS = new Set(['MatMul', 'Einsum']);
/** Operators that may stand between the softmax and the product. */
const BETWEEN = new Set(['Cast', 'Dropout', 'Identity', 'Where', 'Mul', 'Reshape', 'Transpose']);

/** An operator of its own, or a softmax whose result weighs values in a product. */
function isAttention(node: Node): boolean {
  if (ATTENTION.has(node.opType)) return true;
  return node.opType === 'Softmax' && node.outputs[0] !== undefined && isMultiplied(node.outputs[0], 4);
}

function isMultiplied(value: Value, depth: number): boolean {
  return [...value.uses].some(({ opType, outputs }) => {
    if (PRODUCTS.has(opType)) return true;
    return depth > 0 && BETWEEN.has(opType) && outputs[0] !== undefined && isMultiplied(outputs[0], depth - 1);
  });
}
