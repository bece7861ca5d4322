import { LossgraftError } from '../errors.ts';
import { describeNode, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import type { DataType } from '../tensor.ts';

/** A tensor that was found, and how. */
export interface FoundLogits {
  readonly value: Value;
  readonly how: string;
}

const FLOATS = new Set<DataType | undefined>(['float32', 'float16', 'bfloat16', 'float64', undefined]);

/** Operators between the logits and a model's output that keep or normalise the scores; scikit-learn's ZipMap makes dictionaries of them. */
const TAIL = new Set(['Softmax', 'LogSoftmax', 'Identity', 'Cast', 'Log', 'Flatten', 'Reshape', 'Squeeze', 'Dropout']);

/**
 * The logits: the scores before any final Softmax, LogSoftmax, Identity or Cast, [N, C].
 *
 * @throws LossgraftError `no-logits` where no output leads to scores of two or more classes, `sigmoid-head`, or
 *   `ambiguous-logits` where two do.
 */
export function findLogits(graph: Graph, opset: number): FoundLogits {
  const candidates = new Map<Value, FoundLogits>();
  const refused: string[] = [];
  for (const output of graph.outputs) {
    const found = walkTail(output, opset);
    const reason = whyNotLogits(found.value, output) ?? whyMultiLabel(graph, found.value);
    if (reason === undefined) candidates.set(found.value, candidates.get(found.value) ?? found);
    else refused.push(`output "${output.name}" ${reason}`);
  }
  const [first, ...others] = candidates.values();
  if (first === undefined) throw noLogits(refused);
  if (others.length === 0) return first;
  const names = [first, ...others].map(({ value, how }) => `"${value.name}" ${formatShape(value.shape)} (${how})`);
  throw new LossgraftError({
    code: 'ambiguous-logits',
    where: 'model outputs',
    expected: 'one tensor that can be the logits',
    found: `${names.length}: ${names.join('; ')}`,
    hint: `Choose with --logits, as in --logits ${first.value.name}`,
  });
}

/** Checks a tensor that the user named. */
export function namedLogits(graph: Graph, name: string): FoundLogits {
  const value = graph.value(name, 'option logits');
  const reason = whyNotLogits(value, value, true);
  if (reason === undefined) return { value, how: 'named by --logits' };
  throw new LossgraftError({
    code: 'not-logits',
    where: `option logits, tensor "${name}"`,
    expected: 'float scores of two or more classes, [N, C]',
    found: reason,
    hint: 'Name the tensor that goes into the final softmax',
  });
}

function noLogits(refused: readonly string[]): LossgraftError {
  const sigmoid = refused.some((reason) => reason.includes('sigmoid'));
  return new LossgraftError({
    code: sigmoid ? 'sigmoid-head' : 'no-logits',
    where: 'model outputs',
    expected: 'an output with scores of two or more exclusive classes, [N, C]',
    found: refused.length > 0 ? refused.join('; ') : 'no outputs',
    hint: sigmoid
      ? 'The losses here are for exclusive classes (softmax); a binary or multi-label sigmoid head is not supported'
      : refused.some((reason) => reason.includes('one column'))
        ? 'The losses here are for two or more exclusive classes; where the model has such scores, name them with --logits'
        : refused.some((reason) => reason.includes('classical'))
          ? 'A linear model, a tree or a support vector machine in one operator has no gradient here; a network (MLPClassifier) has'
          : 'Name the scores before the softmax with --logits',
  });
}

/** Walks back from an output over normalising and passing nodes. */
function walkTail(output: Value, opset: number): FoundLogits {
  const passed: string[] = [];
  let value = output;
  for (;;) {
    const node = value.producer;
    const input = node?.inputs[0];
    if (!node || !input || !isTail(node, input, opset)) break;
    passed.push(node.opType);
    value = input;
  }
  const before = passed.filter((op) => op !== 'Identity').reverse();
  const how = before.length > 0 ? `input of the final ${before.join(' + ')}` : 'model output';
  return { value, how };
}

function isTail(node: Node, input: Value, opset: number): boolean {
  if (node.domain === 'ai.onnx.ml') return node.opType === 'ZipMap';
  if (node.domain !== '' || !TAIL.has(node.opType)) return false;
  const { opType } = node;
  if (opType === 'Softmax' || opType === 'LogSoftmax') return normalisesClasses(node, input, opset);
  if (opType === 'Log') return input.producer?.opType === 'Softmax';
  if (opType === 'Cast') return FLOATS.has(input.dtype) && FLOATS.has(node.outputs[0]?.dtype);
  if (opType === 'Flatten' || opType === 'Reshape' || opType === 'Squeeze') return dropsOnesOnly(input, node);
  return true;
}

/** Softmax over the class axis (1); before opset 13 `axis` says where the 2-D view is cut. */
function normalisesClasses(node: Node, input: Value, opset: number): boolean {
  const rank = input.shape?.length ?? 2;
  const axis = intAttribute(node, 'axis', opset < 13 ? 1 : -1);
  const positive = axis < 0 ? axis + rank : axis;
  const trailingOnes = (input.shape ?? []).slice(2).every((dim) => dim === 1);
  return positive === 1 && (rank === 2 || trailingOnes);
}

/** [N, C, 1, 1] → [N, C] and the like: the scores are only relabelled. */
function dropsOnesOnly(input: Value, node: Node): boolean {
  const output = node.outputs[0];
  if (!input.shape || !output?.shape || output.shape.length !== 2) return false;
  const [, classes, ...rest] = input.shape;
  // A pooled head's Flatten belongs to the head, unless a softmax came before it.
  return classes === output.shape[1] && rest.every((dim) => dim === 1) && hasSoftmaxAbove(input);
}

function hasSoftmaxAbove(value: Value): boolean {
  const { opType, inputs } = value.producer ?? { opType: '', inputs: [] };
  if (opType === 'Softmax' || opType === 'LogSoftmax') return true;
  return (opType === 'Log' || opType === 'Cast' || opType === 'Identity') && !!inputs[0] && hasSoftmaxAbove(inputs[0]);
}

const SIGMOIDS = new Set(['Sigmoid', 'HardSigmoid']);

/** Scores whose sigmoid is an output of the model, too, are no scores of exclusive classes. */
function whyMultiLabel(graph: Graph, value: Value): string | undefined {
  const sigmoid = [...value.uses].find(
    ({ opType, outputs: [output] }) => SIGMOIDS.has(opType) && output && graph.outputs.includes(output),
  );
  return sigmoid && `goes into a sigmoid that is an output (${describeNode(sigmoid)}): a binary or multi-label head`;
}

/** The Concat [1 − p, p] that scikit-learn's binary networks end with. */
function sigmoidShare(node: Node | undefined): Node | undefined {
  const isSigmoid = (value: Value | undefined) => SIGMOIDS.has(value?.producer?.opType ?? '');
  const isShare = (value: Value | undefined) => isSigmoid(value) || value?.producer?.inputs.some(isSigmoid);
  return node?.opType === 'Concat' && node.inputs.some(isSigmoid) && node.inputs.every(isShare) ? node : undefined;
}

/** Why a tensor cannot be the logits, as a phrase; `undefined` if it can. */
function whyNotLogits(value: Value, output: Value, named = false): string | undefined {
  if (!FLOATS.has(value.dtype)) return `holds ${value.dtype}`;
  const producer = value.producer;
  if (!named && producer && SIGMOIDS.has(producer.opType)) {
    return `comes from a sigmoid (${describeNode(producer)}): a binary or multi-label head`;
  }
  const share = named ? undefined : sigmoidShare(producer);
  if (share) return `joins a sigmoid and what it leaves of 1 (${describeNode(share)}): a binary head`;
  if (!named && producer?.domain === 'ai.onnx.ml') {
    return `comes from a classical model's operator (${describeNode(producer)}): probabilities, as a rule`;
  }
  const shape = value.shape;
  if (shape === undefined) return named ? undefined : 'has an unknown rank';
  const classes = shape[1];
  const trailing = shape.slice(2);
  if (shape.length < 2 || trailing.some((dim) => dim !== 1)) return `has the shape ${formatShape(shape)}`;
  if (classes === 1) return `has one column (${formatShape(output.shape)}): a single-logit head or a norm`;
  return undefined;
}
