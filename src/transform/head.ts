import { describeNode, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import type { Shape } from '../tensor.ts';
import { mayBeFloat } from '../tensor.ts';
import { type Tail, walkTail } from './tail.ts';

/**
 * The kind of a model's output. Losses support the first three; the others are recognised so that errors can name them:
 *
 * - `softmax`: scores of exclusive classes, [N, C]
 * - `sigmoid-binary`: one score per sample, [N], [N, 1] or [N, 1, 1, 1]: the logit of the second of two classes
 * - `sigmoid-multi-label`: scores of classes of which several may hold, [N, C]
 * - `ordinal`: one score per sample and a threshold per class (CORAL, cumulative logits), [N, C − 1]
 * - `token`: a row for each token or position, [N, T, C]
 * - `segmentation`: a value for each pixel, [N, C, H, W]
 * - `detector`: boxes with scores
 * - `embedding`: a vector of length 1
 * - `classical`: a tree or a linear model in one operator of ai.onnx.ml
 */
export type HeadKind =
  | 'softmax'
  | 'sigmoid-binary'
  | 'sigmoid-multi-label'
  | 'ordinal'
  | 'token'
  | 'segmentation'
  | 'detector'
  | 'embedding'
  | 'classical'
  | 'unknown';

/** A recognised output of a model. */
export interface Head {
  readonly kind: HeadKind;
  /** The scores before the final softmax or sigmoid. */
  readonly scores: Value;
  /** How they were found, such as `input of the final Softmax`. */
  readonly how: string;
  /** Whether an operator of the file states it (a softmax, a sigmoid, an argmax), or it is only the usual kind of such scores. */
  readonly isStated: boolean;
  /** A phrase with the evidence for the kind. */
  readonly why: string;
}

export interface OutputHead {
  readonly output: Value;
  readonly head: Head;
}

/** Recognises the kind of each output. Scores whose softmax or sigmoid is another output share its kind. */
export function headsOf(graph: Graph, opset: number): readonly OutputHead[] {
  const heads = graph.outputs.map((output) => ({ output, head: headOf(graph, output, opset) }));
  const stated = new Map(heads.filter(({ head }) => head.isStated).map((each) => [each.head.scores, each]));
  return heads.map(({ output, head }) => {
    const other = head.isStated ? undefined : stated.get(head.scores);
    if (!other) return { output, head };
    const { kind, why } = other.head;
    const way = `goes into a sigmoid that is the output "${other.output.name}"`;
    const isSigmoid = kind === 'sigmoid-binary' || kind === 'sigmoid-multi-label';
    const told = isSigmoid ? `${way}: a ${kind === 'sigmoid-binary' ? 'binary' : 'multi-label'} head` : why;
    return { output, head: { ...other.head, how: head.how, why: told } };
  });
}

/** Recognises the kind of one output, or of a tensor on the way to one. */
export function headOf(graph: Graph, output: Value, opset: number): Head {
  const tail = walkTail(output, opset);
  const { scores, how } = tail;
  const of = (kind: HeadKind, why: string, isStated = true): Head => ({ kind, scores, how, isStated, why });
  if (!mayBeFloat(scores.dtype)) {
    const found = `holds ${scores.dtype} ${formatShape(scores.shape)}`;
    const isMap = readsImages(graph) && (scores.shape?.length ?? 0) >= 3;
    return isMap ? of('segmentation', `${found}: a class for each pixel`) : of('unknown', found);
  }
  const at = tail.sigmoid && describeNode(tail.sigmoid);
  if (tail.sigmoid?.opType === 'HardSigmoid')
    return of('unknown', `comes from a HardSigmoid (${at}), of which they are no logits`);
  if (tail.isShare && at) return of('sigmoid-binary', `joins a sigmoid and 1 minus it (${at}): a binary head`);
  const { producer, shape } = scores;
  if (producer?.opType === 'TopK') return of('unknown', `are the largest of other scores (${describeNode(producer)})`);
  if (producer?.domain === 'ai.onnx.ml') {
    return of('classical', `comes from a classical model's operator (${describeNode(producer)})`);
  }
  const sigmoid = at === undefined ? '' : `comes from a sigmoid (${at})`;
  if (shape === undefined) {
    return of('unknown', at ? `${sigmoid}, and has an unknown rank` : 'has an unknown rank');
  }
  if (isOneScore(shape)) {
    if (at) return of('sigmoid-binary', `${sigmoid}: a binary head, ${formatShape(output.shape)}`);
    const why = `has one score per sample (${formatShape(output.shape)}): a binary head, a regression or a norm`;
    return of('sigmoid-binary', why, false);
  }
  const map = mapHead(graph, shape);
  if (map) return of(map.kind, map.why);
  if (!isRow(shape)) return of('unknown', `has the shape ${formatShape(shape)}`);
  return { ...rowHead(graph, tail), scores, how };
}

/** One row of scores, [N, C] or [N, C, 1, …]. */
function rowHead(graph: Graph, { scores, sigmoid, normaliser }: Tail): Pick<Head, 'kind' | 'isStated' | 'why'> {
  const thresholds = thresholdsOf(graph, scores);
  if (thresholds && !normaliser) {
    const why = `adds a threshold per class to one score per sample (${describeNode(thresholds)}): an ordinal head`;
    return { kind: 'ordinal', isStated: sigmoid !== undefined, why };
  }
  if (sigmoid) {
    const why = `comes from a sigmoid (${describeNode(sigmoid)}): a multi-label head`;
    return { kind: 'sigmoid-multi-label', isStated: true, why };
  }
  const norm = normaliser ? undefined : unitLength(scores);
  if (norm) {
    return { kind: 'embedding', isStated: true, why: `is divided by its length (${describeNode(norm)}): an embedding` };
  }
  const why = normaliser ? `goes into ${describeNode(normaliser)}` : 'no softmax or sigmoid follows';
  return { kind: 'softmax', isStated: normaliser !== undefined, why };
}

/** [N], [N, 1], [N, 1, 1, …] */
export function isOneScore(shape: readonly unknown[]): boolean {
  return shape.length > 0 && shape.slice(1).every((dim) => dim === 1);
}

/** [N, C] or [N, C, 1, …] */
function isRow(shape: readonly unknown[]): boolean {
  return shape.length >= 2 && shape.slice(2).every((dim) => dim === 1);
}

/** Outputs with a row per position or pixel, recognised by rank. */
function mapHead(graph: Graph, shape: NonNullable<Shape>): Pick<Head, 'kind' | 'why'> | undefined {
  const rank = shape.length;
  const ones = shape.slice(1).filter((dim) => dim === 1).length;
  if (rank < 3 || ones >= rank - 2) return undefined;
  const found = `has the shape ${formatShape(shape)}`;
  if (readsImages(graph) && (rank > 3 || isImage(graph, shape))) {
    return { kind: 'segmentation', why: `${found}: a value for each pixel` };
  }
  return rank === 3 ? { kind: 'token', why: `${found}: a row for each token or position` } : undefined;
}

function readsImages(graph: Graph): boolean {
  return graph.inputs.some(({ shape }) => (shape?.length ?? 0) >= 4);
}

/** [N, H, W], as large as the input's images. */
function isImage(graph: Graph, shape: NonNullable<Shape>): boolean {
  const sizes = shape.slice(1);
  return graph.inputs.some(({ shape: input }) =>
    [input?.slice(2), input?.slice(1, 3)].some(
      (size) => size?.length === 2 && size.every((dim, i) => typeof dim === 'number' && dim === sizes[i]),
    ),
  );
}

/** The node that adds a constant per class to one score per sample, as in ordinal heads. */
function thresholdsOf(graph: Graph, { producer, shape }: Value): Node | undefined {
  if (producer?.domain !== '' || (producer.opType !== 'Add' && producer.opType !== 'Sub')) return undefined;
  const [a, b] = producer.inputs;
  if (!a || !b || shape?.[1] === 1) return undefined;
  const isOrdinal = (score: Value, thresholds: Value): boolean =>
    score.shape?.length === 2 && score.shape[1] === 1 && dependsOnConstantsAlone(graph, thresholds);
  return isOrdinal(a, b) || isOrdinal(b, a) ? producer : undefined;
}

/** Ordered thresholds are computed, such as a running sum of positive steps. */
function dependsOnConstantsAlone(graph: Graph, value: Value): boolean {
  const inputs = new Set(graph.inputs);
  const seen = new Set<Value>([value]);
  for (const each of seen) {
    if (inputs.has(each) && !graph.initializers.has(each)) return false;
    for (const input of each.producer?.inputs ?? []) if (input) seen.add(input);
  }
  return true;
}

const GUARDS = new Set(['Expand', 'Clip', 'Max', 'Add', 'Sqrt', 'Unsqueeze', 'Reshape']);

/** The node that divides a vector by its own length. */
function unitLength({ producer }: Value): Node | undefined {
  if (producer?.opType === 'LpNormalization' && intAttribute(producer, 'p', 2) === 2) return producer;
  const [vector, divisor] = producer?.opType === 'Div' ? producer.inputs : [];
  let length = divisor;
  while (length?.producer && GUARDS.has(length.producer.opType)) length = length.producer.inputs[0];
  return length?.producer?.opType === 'ReduceL2' && length.producer.inputs[0] === vector ? producer : undefined;
}
