import { intAttribute } from '../ir/attributes.ts';
import type { Node, Value } from '../ir/graph.ts';
import { mayBeFloat } from '../tensor.ts';

/** The nodes between scores and an output of the model. */
export interface Tail {
  /** The scores at the start of the tail. */
  readonly scores: Value;
  readonly how: string;
  /** The softmax or the argmax over classes that follows. */
  readonly normaliser: Node | undefined;
  readonly sigmoid: Node | undefined;
  /** Whether the output is [1 − p, p] for the sigmoid's p, the end of scikit-learn's binary networks. */
  readonly isShare: boolean;
}

const SIGMOIDS = new Set(['Sigmoid', 'HardSigmoid']);
const NORMALISERS = new Set(['Softmax', 'LogSoftmax']);
const PICKERS = new Set(['ArgMax', 'TopK']);
/** Operators that only rearrange elements. */
const LAYOUTS = new Set(['Flatten', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** Walks back from an output over nodes that keep or normalise the scores; scikit-learn's ZipMap turns them into dictionaries. */
export function walkTail(output: Value, opset: number): Tail {
  const passed: Node[] = [];
  let value = beforePicker(output, passed);
  let isShare = false;
  for (;;) {
    const node = value.producer;
    const share = sigmoidShare(node);
    const before = share ?? (node && isTail(node, passed, opset) ? node : undefined);
    const input = before?.inputs[0];
    if (!before || !input) break;
    isShare ||= share !== undefined;
    passed.push(before);
    value = input;
  }
  const names = passed.map(({ opType }) => opType).filter((op) => op !== 'Identity');
  return {
    scores: value,
    how: names.length > 0 ? `input of the final ${names.reverse().join(' + ')}` : 'model output',
    normaliser: passed.find(({ opType }) => NORMALISERS.has(opType) || PICKERS.has(opType)),
    sigmoid: passed.find(({ opType }) => SIGMOIDS.has(opType)),
    isShare,
  };
}

/** The scores [N, C] whose argmax is an output; `output` itself for other outputs. */
function beforePicker(output: Value, passed: Node[]): Value {
  const found: Node[] = [];
  let value: Value | undefined = output;
  while (value?.producer && (value.producer.opType === 'Cast' || LAYOUTS.has(value.producer.opType))) {
    found.push(value.producer);
    value = value.producer.inputs[0];
  }
  const picker = value?.producer;
  const scores = picker?.inputs[0];
  if (!picker || !scores || !PICKERS.has(picker.opType) || scores.shape?.length !== 2) return output;
  if (laysPositions(scores)) return output;
  const axis = intAttribute(picker, 'axis', picker.opType === 'TopK' ? -1 : 0);
  if (axis !== 1 && axis !== -1) return output;
  passed.push(...found, picker);
  return scores;
}

/** Whether rows of several positions were merged, as in detectors before selection. */
function laysPositions({ producer }: Value): boolean {
  const [input] = producer?.inputs ?? [];
  if (!producer || !input || !LAYOUTS.has(producer.opType)) return false;
  return (input.shape ?? []).slice(1).filter((dim) => dim !== 1).length > 1 || laysPositions(input);
}

function isTail(node: Node, passed: readonly Node[], opset: number): boolean {
  const [input] = node.inputs;
  const { opType } = node;
  if (!input) return false;
  if (node.domain === 'ai.onnx.ml') return opType === 'ZipMap';
  if (node.domain !== '') return false;
  if (NORMALISERS.has(opType)) return normalisesClasses(node, input, opset);
  if (SIGMOIDS.has(opType)) return passed.every((after) => !isActivation(after));
  if (opType === 'Log') return input.producer?.opType === 'Softmax';
  if (opType === 'Cast') return mayBeFloat(input.dtype) && mayBeFloat(node.outputs[0]?.dtype);
  if (LAYOUTS.has(opType)) return keepsOneScore(input, node) || dropsOnesOnly(input, node);
  return opType === 'Identity' || opType === 'Dropout';
}

function isActivation({ opType }: Node): boolean {
  return SIGMOIDS.has(opType) || NORMALISERS.has(opType);
}

/** Softmax over the class axis (1); before opset 13 `axis` says where the 2-D view is split. */
function normalisesClasses(node: Node, input: Value, opset: number): boolean {
  const rank = input.shape?.length ?? 2;
  const axis = intAttribute(node, 'axis', opset < 13 ? 1 : -1);
  const positive = axis < 0 ? axis + rank : axis;
  const trailingOnes = (input.shape ?? []).slice(2).every((dim) => dim === 1);
  return positive === 1 && (rank === 2 || trailingOnes);
}

/** [N, 1, 1, 1] → [N] and the like. */
function keepsOneScore({ shape }: Value, { outputs: [output] }: Node): boolean {
  const isOne = (dims: readonly unknown[]): boolean => dims.length > 0 && dims.slice(1).every((dim) => dim === 1);
  return shape !== undefined && output?.shape !== undefined && isOne(shape) && isOne(output.shape);
}

/** [N, C, 1, 1] → [N, C] and the like: the scores are only relabelled. */
function dropsOnesOnly(input: Value, node: Node): boolean {
  const output = node.outputs[0];
  if (!input.shape || !output?.shape || output.shape.length !== 2) return false;
  const [, classes, ...rest] = input.shape;
  // The Flatten of a pooled head belongs to the head, unless a softmax or a sigmoid precedes it.
  return classes === output.shape[1] && rest.every((dim) => dim === 1) && hasActivationAbove(input);
}

function hasActivationAbove({ producer }: Value): boolean {
  if (!producer) return false;
  if (isActivation(producer)) return true;
  const [input] = producer.inputs;
  return ['Log', 'Cast', 'Identity'].includes(producer.opType) && !!input && hasActivationAbove(input);
}

/** The sigmoid of the Concat [1 − p, p] that scikit-learn's binary networks end with. */
function sigmoidShare(node: Node | undefined): Node | undefined {
  const sigmoidOf = (value: Value | undefined): Node | undefined =>
    value?.producer && SIGMOIDS.has(value.producer.opType) ? value.producer : undefined;
  const shareOf = (value: Value | undefined): Node | undefined =>
    sigmoidOf(value) ?? (value?.producer?.opType === 'Sub' ? sigmoidOf(value.producer.inputs[1]) : undefined);
  if (node?.opType !== 'Concat' || !node.inputs.some(sigmoidOf)) return undefined;
  return node.inputs.every(shareOf) ? sigmoidOf(node.inputs.find(sigmoidOf)) : undefined;
}
