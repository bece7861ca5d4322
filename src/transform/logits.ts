import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import { mayBeFloat } from '../tensor.ts';
import { whyDetects, whySelectsBoxes } from './detector.ts';
import { type Head, type HeadKind, headOf, headsOf } from './head.ts';

/** A tensor that was found, and how. */
export interface FoundTensor {
  readonly value: Value;
  readonly how: string;
}

/** The logits, and what they say. */
export interface FoundLogits extends FoundTensor {
  readonly kind: HeadKind;
  /** Whether an operator of the file says so; else it is what such scores usually are. */
  readonly isStated: boolean;
  /** What the user should know of. */
  readonly notes: readonly string[];
}

/**
 * The logits: the scores before any final Softmax, LogSoftmax, ArgMax, Identity or Cast, [N, C].
 *
 * @throws LossgraftError for a head of another kind, by a code of its own (`sigmoid-head`, `ordinal-head`, `token-head`,
 *   `segmentation-head`, `detector`), `no-logits` where no output leads to scores of two or more classes, or `ambiguous-logits` where two do.
 */
export function findLogits(graph: Graph, opset: number): FoundLogits {
  const model = modelHead(graph, opset);
  if (model.kind !== 'softmax') throw unsupported(model);
  const [first, ...others] = model.softmax;
  if (first === undefined) throw unsupported(model);
  const { scores: value, how, kind, isStated } = first;
  if (others.length === 0) return { value, how, kind, isStated, notes: [] };
  const names = model.softmax.map(({ scores, how }) => `"${scores.name}" ${formatShape(scores.shape)} (${how})`);
  throw new LossgraftError({
    code: 'ambiguous-logits',
    where: 'model outputs',
    expected: 'one tensor that can be the logits',
    found: `${names.length}: ${names.join('; ')}`,
    hint: `Choose with ${option('logits')}, as in ${option('logits', value.name)}`,
  });
}

/** What a whole model is. */
export interface ModelHead {
  readonly kind: HeadKind;
  readonly isStated: boolean;
  /** What speaks for it, output by output. */
  readonly why: string;
  /** The heads of exclusive classes, each once. */
  readonly softmax: readonly Head[];
  /** The scores that the kind was told by. */
  readonly scores: string;
}

/** Recognises a model: by its scores of exclusive classes if it has some, else by its first output that says what it is. */
export function modelHead(graph: Graph, opset: number): ModelHead {
  const heads = headsOf(graph, opset);
  const found = new Map<Value, Head>();
  // An output of scores says more of them than one of class indices.
  const scoresFirst = heads.toSorted(
    (a, b) => Number(!mayBeFloat(a.output.dtype)) - Number(!mayBeFloat(b.output.dtype)),
  );
  for (const { head } of scoresFirst) {
    if (head.kind === 'softmax' && !found.has(head.scores)) found.set(head.scores, head);
  }
  const softmax = [...found.values()];
  const detects = whySelectsBoxes(graph) ?? (softmax.length === 0 ? whyDetects(graph) : undefined);
  if (detects !== undefined) return { kind: 'detector', isStated: true, why: detects, softmax: [], scores: '' };
  const main = softmax[0] ?? heads.find(({ head }) => head.kind !== 'unknown')?.head;
  const { kind = 'unknown', isStated = false } = main ?? {};
  const why = softmax[0]?.why ?? heads.map(({ output, head }) => `output "${output.name}" ${head.why}`).join('; ');
  return { kind, isStated, why: why || 'no outputs', softmax, scores: main?.scores.name ?? '' };
}

/** Checks a tensor that the user named. A head of another kind is taken for exclusive classes then, with a note. */
export function namedLogits(graph: Graph, name: string, opset: number): FoundLogits {
  const value = graph.value(name, 'option logits');
  const found = { value, how: `named by ${option('logits')}`, kind: 'softmax', isStated: true } as const;
  const { producer } = value;
  if (producer?.opType === 'Softmax') {
    const scores = producer.inputs[0]?.name ?? '';
    throw notLogits(name, `what ${describeNode(producer)} made`, `Name its input: ${option('logits', scores)}`);
  }
  const reason = whyNoScores(value);
  if (reason !== undefined) throw notLogits(name, reason, 'Name the tensor that goes into the final softmax');
  const known = headsOf(graph, opset).find(({ head }) => head.scores === value && head.kind !== 'softmax');
  const { kind, why } = known?.head ?? headOf(graph, value, opset);
  if (kind === 'softmax' || kind === 'unknown' || kind === 'classical') return { ...found, notes: [] };
  return { ...found, notes: [`"${name}" ${why}; named as logits, its classes are taken for exclusive ones (softmax)`] };
}

function notLogits(name: string, found: string, hint: string): LossgraftError {
  const expected = 'float scores of two or more classes, [N, C]';
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
  if (shape.length < 2 || shape.slice(2).some((dim) => dim !== 1)) return `has the shape ${formatShape(shape)}`;
  return shape[1] === 1 ? `has one column (${formatShape(shape)})` : undefined;
}

function unsupported({ kind, why, scores }: ModelHead): LossgraftError {
  const [code, hint] = REFUSALS[kind](scores);
  const expected = 'an output with scores of two or more exclusive classes, [N, C]';
  return new LossgraftError({ code, where: 'model outputs', expected, found: why, hint });
}

/** Code and hint by kind; `name` is that of the scores. */
const REFUSALS: Readonly<Record<HeadKind, (name: string) => readonly [code: ErrorCode, hint: string]>> = {
  softmax: () => ['no-logits', `Name the scores with ${option('logits')}`],
  'sigmoid-binary': () => [
    'sigmoid-head',
    'Binary heads of one score are not supported yet. Give the last layer two outputs, the first with zeros for weights and bias, and export it ' +
      'without the sigmoid: a softmax over [0, z] equals the sigmoid of z',
  ],
  'sigmoid-multi-label': (name) => [
    'sigmoid-head',
    `Multi-label heads are not supported: the losses are for exclusive classes. If one class holds for each sample all the same, add ${option('logits', name)}`,
  ],
  ordinal: (name) => [
    'ordinal-head',
    `Ordinal heads are not supported: the losses are for exclusive classes. If these are scores of such classes all the same, add ${option('logits', name)}`,
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
    'A linear model, a tree or a support vector machine in one operator has no gradient here; a network (MLPClassifier) has',
  ],
  unknown: () => [
    'no-logits',
    `lossgraft trains classifiers. If a tensor of the model holds scores of two or more classes, [N, C], name it with ${option('logits')}`,
  ],
};
