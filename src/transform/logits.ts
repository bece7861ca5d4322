import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import { mayBeFloat } from '../tensor.ts';
import { whyDetects, whySelectsBoxes } from './detector.ts';
import { type Head, type HeadKind, headOf, headsOf, isOneScore, type OutputHead } from './head.ts';

/** A tensor that was found, and how. */
export interface FoundTensor {
  readonly value: Value;
  readonly how: string;
}

/** The heads that losses are for. */
export type TrainedKind = 'softmax' | 'sigmoid-binary';

/** The logits, and what they say. */
export interface FoundLogits extends FoundTensor {
  readonly kind: TrainedKind;
  /** Whether an operator of the file says so; else it is what such scores usually are. */
  readonly isStated: boolean;
  /** What the user should know of. */
  readonly notes: readonly string[];
}

/**
 * The logits: the scores before any final Softmax, LogSoftmax, ArgMax, Identity or Cast, [N, C], or those of one logit per sample, before
 * any final Sigmoid.
 *
 * @throws LossgraftError for a head of another kind, by a code of its own (`sigmoid-head`, `ordinal-head`, `token-head`,
 *   `segmentation-head`, `detector`), `no-logits` where no output leads to scores of classes, or `ambiguous-logits` where two do.
 */
export function findLogits(graph: Graph, opset: number): FoundLogits {
  const model = modelHead(graph, opset);
  const [first, ...others] = model.trained;
  if (first === undefined) throw unsupported(model);
  const { scores: value, how, kind, isStated } = first;
  if (others.length === 0)
    return { value, how, kind, isStated, notes: kind === 'softmax' || isStated ? [] : [ONE_SCORE] };
  const names = model.trained.map(({ scores, how }) => `"${scores.name}" ${formatShape(scores.shape)} (${how})`);
  throw new LossgraftError({
    code: 'ambiguous-logits',
    where: 'model outputs',
    expected: 'exactly one tensor that can be the logits',
    found: `${names.length}: ${names.join('; ')}`,
    hint: `Choose with ${option('logits')}, as in ${option('logits', value.name)}`,
  });
}

const ONE_SCORE =
  'Nothing follows the single score per sample; lossgraft assumes that it is the logit of the second of two classes (class 1), as before a sigmoid';

/** A head that losses are for. */
export interface TrainedHead extends Head {
  readonly kind: TrainedKind;
}

/** What a whole model is. */
export interface ModelHead {
  readonly kind: HeadKind;
  readonly isStated: boolean;
  /** What speaks for it, output by output. */
  readonly why: string;
  /** The heads of its kind that a loss can be for, each once. */
  readonly trained: readonly TrainedHead[];
  /** The scores that the kind was told by. */
  readonly scores: string;
}

/**
 * Recognises a model: by its scores of exclusive classes if it has some, else by the logits of two classes, else by its first output that says
 * what it is. What the file states goes before what is assumed.
 */
export function modelHead(graph: Graph, opset: number): ModelHead {
  const heads = headsOf(graph, opset);
  // An output of scores says more of them than one of class indices.
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

/** The heads of one kind that losses are for; one score of which the file says nothing counts where it says nothing else. */
function trainedHeads(heads: readonly OutputHead[]): readonly TrainedHead[] {
  const of = (kind: TrainedKind): TrainedHead[] => {
    const found = heads.flatMap(({ head }) => (head.kind === kind ? [{ ...head, kind }] : []));
    return [...new Map(found.toReversed().map((head) => [head.scores, head])).values()].reverse();
  };
  const softmax = of('softmax');
  const binary = of('sigmoid-binary');
  const stated = binary.filter(({ isStated }) => isStated);
  if (softmax.some(({ isStated }) => isStated)) return softmax;
  if (stated.length > 0) return stated;
  if (softmax.length > 0) return softmax;
  return heads.some(({ head }) => head.isStated && head.kind !== 'unknown') ? [] : binary;
}

/**
 * Checks a tensor that the user named. One score per sample is the logit of the second of two classes; a head of another kind is taken for
 * exclusive classes. Notes say so where the file does not.
 */
export function namedLogits(graph: Graph, name: string, opset: number): FoundLogits {
  const value = graph.value(name, 'option logits');
  const isOne = value.shape !== undefined && isOneScore(value.shape);
  const { producer } = value;
  const activation = producer?.opType === 'Softmax' || (isOne && producer?.opType === 'Sigmoid') ? producer : undefined;
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
    return { ...found, kind: 'sigmoid-binary', notes: isStated ? [] : [note] };
  }
  const { kind, why } = heads.find(({ head }) => head.kind !== 'softmax')?.head ?? headOf(graph, value, opset);
  const isPlain = kind === 'softmax' || kind === 'unknown' || kind === 'classical';
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
  const expected = 'an output with scores of two or more exclusive classes, [N, C], or with one logit per sample';
  return new LossgraftError({ code, where: 'model outputs', expected, found: why, hint });
}

/** Code and hint by kind; `name` is that of the scores. */
const REFUSALS: Readonly<Record<HeadKind, (name: string) => readonly [code: ErrorCode, hint: string]>> = {
  softmax: () => ['no-logits', `Name the scores with ${option('logits')}`],
  'sigmoid-binary': () => ['no-logits', `Name the scores with ${option('logits')}`],
  'sigmoid-multi-label': (name) => [
    'sigmoid-head',
    `Multi-label heads are not supported: the losses are for exclusive classes. If every sample has exactly one class all the same, add ${option('logits', name)}`,
  ],
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
