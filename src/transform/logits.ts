import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import type { Task } from '../task.ts';
import { mayBeFloat } from '../tensor.ts';
import { whyDetects, whySelectsBoxes } from './detector.ts';
import { type Head, type HeadKind, headOf, headsOf, isOneScore, type OutputHead } from './head.ts';

/** A tensor, and how it was found. */
export interface FoundTensor {
  readonly value: Value;
  readonly how: string;
}

/** The heads that losses support. */
export type TrainedKind = 'softmax' | 'sigmoid-binary' | 'sigmoid-multi-label';

/** The task of a head. */
export function taskOf(kind: TrainedKind): Task {
  return kind === 'sigmoid-multi-label' ? 'multi-label' : 'exclusive';
}

/** The logits, and their kind. */
export interface FoundLogits extends FoundTensor {
  readonly kind: TrainedKind;
  /** Whether an operator of the file states it; otherwise it is the usual kind of such scores. */
  readonly isStated: boolean;
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/**
 * The logits: the scores before any final Softmax, LogSoftmax, ArgMax, Sigmoid, Identity or Cast, [N, C], or those of one logit per
 * sample, before any final Sigmoid.
 *
 * @param task if known; otherwise the head decides.
 * @throws LossgraftError for a head of another kind, by a code of its own (`ordinal-head`, `token-head`, `segmentation-head`,
 * `detector`),
 * `no-logits` if no output leads to class scores, `ambiguous-logits` if two do, or `task-mismatch` for labels that do not fit it.
 */
export function findLogits(graph: Graph, opset: number, task?: Task): FoundLogits {
  const model = modelHead(graph, opset);
  const [first, ...others] = model.trained;
  if (first === undefined) throw unsupported(model);
  const { scores: value, how, kind, isStated } = first;
  const notes = kind === 'sigmoid-binary' && !isStated ? [ONE_SCORE] : [];
  if (others.length === 0) return asTask({ value, how, kind, isStated, notes }, first.why, task);
  const names = model.trained.map(({ scores, how }) => `"${scores.name}" ${formatShape(scores.shape)} (${how})`);
  throw new LossgraftError({
    code: 'ambiguous-logits',
    where: 'model outputs',
    expected: 'exactly one tensor that can be the logits',
    found: `${names.length}: ${names.join('; ')}`,
    hint: `Choose with ${option('logits')}, as in ${option('logits', value.name)}`,
  });
}

/** The same scores, interpreted by the task. @throws LossgraftError `task-mismatch` */
function asTask(found: FoundLogits, why: string, task: Task | undefined): FoundLogits {
  const { value, kind, isStated } = found;
  if (task === undefined || taskOf(kind) === task) return found;
  if (task === 'exclusive') {
    const note = `"${value.name}" ${why}; ${option('task', task)} treats its classes as exclusive (softmax)`;
    return { ...found, kind: 'softmax', isStated: true, notes: [note] };
  }
  if (kind === 'softmax' && !isStated) return { ...found, kind: 'sigmoid-multi-label', isStated: true };
  const hint =
    kind === 'softmax'
      ? `A softmax shares 1 among the classes. For several labels per sample, export the model without it, or with a sigmoid`
      : 'One score tells two classes apart: its labels are class indices (0 or 1), and the loss ce is its binary cross-entropy';
  throw new LossgraftError({
    code: 'task-mismatch',
    where: `logits "${value.name}"`,
    expected: 'scores [N, C] that no softmax follows, for labels of which a sample may have several',
    found: why,
    hint,
  });
}

const ONE_SCORE =
  'Nothing follows the single score per sample; lossgraft assumes that it is the logit of the second of two classes (class 1), as before a sigmoid';

/** A head that losses support. */
export interface TrainedHead extends Head {
  readonly kind: TrainedKind;
}

/** The kind of a whole model. */
export interface ModelHead {
  readonly kind: HeadKind;
  readonly isStated: boolean;
  /** The evidence for it, output by output. */
  readonly why: string;
  /** The supported heads of its kind, each once. */
  readonly trained: readonly TrainedHead[];
  /** The scores that determined the kind. */
  readonly scores: string;
}

/**
 * Recognises a model: by its scores of exclusive classes if it has any, or else by the logit of two classes, or else by its first
 * recognisable output. Statements in the file override assumptions.
 */
export function modelHead(graph: Graph, opset: number): ModelHead {
  const heads = headsOf(graph, opset);
  // An output of scores is better evidence than one of class indices.
  const scoresFirst = heads.toSorted(
    (a, b) => Number(!mayBeFloat(a.output.dtype)) - Number(!mayBeFloat(b.output.dtype)),
  );
  const trained = trainedHeads(scoresFirst);
  const [first] = trained;
  const detects = whySelectsBoxes(graph) ?? (first?.kind === 'softmax' ? undefined : whyDetects(graph));
  if (detects !== undefined) return { kind: 'detector', isStated: true, why: detects, trained: [], scores: '' };
  const main = first ?? heads.find(({ head }) => head.kind !== 'unknown')?.head;
  const { kind = 'unknown', isStated = false } = main ?? {};
  const why = first?.why ?? heads.map(({ output, head }) => `output "${output.name}" ${head.why}`).join('; ');
  return { kind, isStated, why: why || 'no outputs', trained, scores: main?.scores.name ?? '' };
}

/** The supported heads of one kind; a score that the file says nothing about counts only if there is nothing else. */
function trainedHeads(heads: readonly OutputHead[]): readonly TrainedHead[] {
  const of = (kind: TrainedKind): TrainedHead[] => {
    const found = heads.flatMap(({ head }) => (head.kind === kind ? [{ ...head, kind }] : []));
    return [...new Map(found.toReversed().map((head) => [head.scores, head])).values()].reverse();
  };
  const softmax = of('softmax');
  const binary = of('sigmoid-binary');
  const stated = binary.filter(({ isStated }) => isStated);
  const multiLabel = of('sigmoid-multi-label');
  if (softmax.some(({ isStated }) => isStated)) return softmax;
  if (stated.length > 0) return stated;
  if (multiLabel.length > 0) return multiLabel;
  if (softmax.length > 0) return softmax;
  return heads.some(({ head }) => head.isStated && head.kind !== 'unknown') ? [] : binary;
}

/**
 * Checks a tensor named by the user. One score per sample is the logit of the second of two classes; a head of an unsupported kind counts
 * as exclusive classes, unless `task` says otherwise. Notes report that if the file does not state it.
 */
export function namedLogits(graph: Graph, name: string, opset: number, task?: Task): FoundLogits {
  const value = graph.value(name, 'option logits');
  const isOne = value.shape !== undefined && isOneScore(value.shape);
  const { producer } = value;
  const isSigmoid = producer?.opType === 'Sigmoid' && (isOne || task !== 'exclusive');
  const activation = producer?.opType === 'Softmax' || isSigmoid ? producer : undefined;
  if (activation) {
    const scores = activation.inputs[0]?.name ?? '';
    throw notLogits(name, `what ${describeNode(activation)} made`, `Name its input: ${option('logits', scores)}`);
  }
  const reason = whyNoScores(value);
  if (reason !== undefined) throw notLogits(name, reason, 'Name the tensor that feeds the final softmax or sigmoid');
  const heads = headsOf(graph, opset).filter(({ head }) => head.scores === value);
  const found = { value, how: `named by ${option('logits')}`, isStated: true };
  if (isOne) {
    const isStated = heads.some(({ head }) => head.kind === 'sigmoid-binary' && head.isStated);
    const note = `"${name}" has one score per sample: it is taken for the logit of the second of two classes (class 1)`;
    const binary: FoundLogits = { ...found, kind: 'sigmoid-binary', notes: isStated ? [] : [note] };
    return asTask(binary, 'has one score per sample', task);
  }
  const own = heads.map(({ head }) => head).find(({ kind, isStated }) => kind !== 'softmax' || isStated);
  const { kind, why, isStated } = own ?? headOf(graph, value, opset);
  if (kind === 'softmax') {
    const exclusive = asTask({ ...found, kind, isStated, notes: [] }, why, task);
    return { ...exclusive, isStated: true };
  }
  if (kind === 'sigmoid-multi-label') return asTask({ ...found, kind, notes: [] }, why, task);
  if (task === 'multi-label') return { ...found, kind: 'sigmoid-multi-label', notes: [] };
  const isPlain = kind === 'unknown' || kind === 'classical';
  const note = `"${name}" ${why}; since you named it as logits, lossgraft treats its classes as exclusive (softmax)`;
  return { ...found, kind: 'softmax', notes: isPlain ? [] : [note] };
}

function notLogits(name: string, found: string, hint: string): LossgraftError {
  const expected = 'float scores of two or more classes, [N, C], or one logit per sample';
  return new LossgraftError({
    code: 'not-logits',
    where: `option logits, tensor "${name}"`,
    expected,
    found,
    hint,
  });
}

function whyNoScores({ dtype, shape }: Value): string | undefined {
  if (!mayBeFloat(dtype)) return `holds ${dtype}`;
  if (shape === undefined) return undefined;
  const isRow = isOneScore(shape) || (shape.length >= 2 && shape.slice(2).every((dim) => dim === 1));
  return isRow ? undefined : `has the shape ${formatShape(shape)}`;
}

function unsupported({ kind, why, scores }: ModelHead): LossgraftError {
  const [code, hint] = REFUSALS[kind](scores);
  const expected = 'an output with scores of two or more classes, [N, C], or with one logit per sample';
  return new LossgraftError({ code, where: 'model outputs', expected, found: why, hint });
}

/** Code and hint by kind; `name` is that of the scores. */
const REFUSALS: Readonly<Record<HeadKind, (name: string) => readonly [code: ErrorCode, hint: string]>> = {
  softmax: () => ['no-logits', `Name the scores with ${option('logits')}`],
  'sigmoid-binary': () => ['no-logits', `Name the scores with ${option('logits')}`],
  'sigmoid-multi-label': () => ['no-logits', `Name the scores with ${option('logits')}`],
  ordinal: (name) => [
    'ordinal-head',
    `Ordinal heads are not supported: the losses are for exclusive classes. If these are scores of exclusive classes all the same, add ${option('logits', name)}`,
  ],
  token: () => [
    'token-head',
    'Scores of every token or position are not supported: lossgraft trains classifiers, with one row of scores per sample',
  ],
  segmentation: () => [
    'segmentation-head',
    'Segmentation and other maps are not supported: lossgraft trains classifiers, with one row of scores per sample',
  ],
  detector: () => [
    'detector',
    'Object detection is not supported: lossgraft trains classifiers, with one row of scores per sample',
  ],
  embedding: (name) => [
    'embedding',
    `An embedding has no classes, and metric learning is not supported. If these are scores of classes all the same, add ${option('logits', name)}`,
  ],
  classical: () => [
    'no-logits',
    'A linear model, tree or support vector machine in a single operator has no gradient here; a network (MLPClassifier) does',
  ],
  unknown: () => [
    'no-logits',
    `lossgraft trains classifiers. If a tensor of the model holds scores of two or more classes, [N, C], or the logit of the second of two, [N, 1], name it with ${option('logits')}`,
  ],
};
