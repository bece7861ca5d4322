import { labelsOf } from '../classes/operatorLabels.ts';
import { LossgraftError } from '../errors.ts';
import { describeNode, int } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { mayBeFloat, type Tensor } from '../tensor.ts';
import { dependents } from '../transform/differentiate.ts';
import type { Mapped } from './nodes.ts';

/**
 * Makes label outputs follow the mapped scores if they came from elsewhere: the operators of scikit-learn's models give their labels
 * beside the scores, and other labels are picked from what the scores were made of. They become the label of the highest score.
 *
 * @returns notes for the user.
 * @throws LossgraftError `not-calibrated` for a label output that comes from elsewhere.
 */
export function labelsFollow(graph: Graph, { raw, scores }: Mapped, classes: number): string[] {
  const after = dependents(topologicalOrder(graph), [scores]);
  const before = ancestorsOf(raw);
  const notes: string[] = [];
  for (const output of graph.outputs.filter((each) => !after.has(each))) {
    const path = pathFrom(output, before, classes);
    if (path !== undefined && classes > 1) rebuild(graph, output, path, scores);
    else if (!mayBeFloat(output.dtype)) throw otherLabels(output);
    else if (before.has(output)) notes.push(`The output "${output.name}" stays as it is: it comes before the scores`);
  }
  return notes;
}

/** The nodes between the picker of a class and an output, in order. */
interface Path {
  readonly picker: Node;
  /** The picker's output: labels, or indices. */
  readonly picked: Value;
  readonly nodes: readonly Node[];
}

/** Operators that pass a class on, with the input it comes by. */
const PASSED: Readonly<Record<string, number>> = {
  Identity: 0,
  Cast: 0,
  Reshape: 0,
  Squeeze: 0,
  Unsqueeze: 0,
  Flatten: 0,
  LabelEncoder: 0,
  ArrayFeatureExtractor: 1,
  Gather: 1,
};

function pathFrom(output: Value, before: ReadonlySet<Value>, classes: number): Path | undefined {
  const nodes: Node[] = [];
  let value: Value | undefined = output;
  while (value?.producer) {
    const node: Node = value.producer;
    const [first] = node.inputs;
    const isClassifier = node.domain === 'ai.onnx.ml' && labelsOf(node) !== undefined && value === node.outputs[0];
    if (isClassifier && node.outputs.some((each) => each && before.has(each)))
      return { picker: node, picked: value, nodes };
    if (node.opType === 'ArgMax' && first && before.has(first) && isWide(first, classes))
      return { picker: node, picked: value, nodes };
    const through: number | undefined = PASSED[node.opType];
    if (through === undefined || !isCopied(node)) return undefined;
    nodes.unshift(node);
    value = node.inputs[through];
  }
  return undefined;
}

/** Whether a new node can take the same attributes. */
function isCopied({ attributes }: Node): boolean {
  return [...attributes.values()].every(({ type }) => /^(int|float|string)s?$/.test(type));
}

function isWide({ shape }: Value, classes: number): boolean {
  const width = shape?.at(-1);
  return typeof width !== 'number' || width === classes;
}

/** Rewrites the path from the scores to a label output, and removes the old one. */
function rebuild(graph: Graph, output: Value, { picker, picked, nodes }: Path, scores: Value): void {
  const old = nodes.at(-1) ?? picker;
  const stays = graph.define(graph.freshName('lossgraft/uncalibrated'), output.dtype, output.shape);
  old.outputs = old.outputs.map((each) => (each === output ? stays : each));
  stays.producer = old;
  const own = nodes.length === 0 ? output : undefined;
  const keepDims = picker.attributes.get('keepdims');
  const keeps = picker.opType === 'ArgMax' && !(keepDims?.type === 'int' && keepDims.value === 0n);
  let value = pick(graph, scores, labelsOf(picker), { own, keeps, like: picked });
  for (const node of nodes) {
    const isLast = node === nodes.at(-1);
    const made = isLast ? output : graph.define(graph.freshName('lossgraft/label'), node.outputs[0]?.dtype);
    const through = PASSED[node.opType] ?? 0;
    const inputs = node.inputs.map((input, i) => (i === through ? value : input));
    const { opType, domain, attributes } = node;
    graph.addNode({ opType, domain, inputs, outputs: [made], attributes });
    value = made;
  }
  const unread = [...(picker.opType === 'ArgMax' ? [picker] : []), ...nodes].toReversed();
  for (const node of unread) if (!node.outputs.some((each) => graph.isRead(each))) graph.remove(node);
}

/** The label of the highest score, or its index if there are no labels. */
function pick(
  graph: Graph,
  scores: Value,
  labels: Tensor | undefined,
  { own, keeps, like }: { readonly own: Value | undefined; readonly keeps: boolean; readonly like: Value },
): Value {
  const result = own ?? graph.define(graph.freshName('lossgraft/label'), like.dtype);
  const index = labels === undefined ? result : graph.define(graph.freshName('lossgraft/class'), 'int64');
  const attributes = new Map([
    ['axis', int(1)],
    ['keepdims', int(keeps ? 1 : 0)],
  ]);
  graph.addNode({ opType: 'ArgMax', inputs: [scores], outputs: [index], attributes });
  if (labels === undefined) return result;
  const names = graph.define(graph.freshName('lossgraft/labels'), labels.dtype, labels.dims);
  graph.initializers.set(names, labels);
  graph.addNode({ opType: 'Gather', inputs: [names, index], outputs: [result] });
  return result;
}

function ancestorsOf(value: Value): Set<Value> {
  const seen = new Set<Value>([value]);
  for (const each of seen) {
    for (const output of each.producer?.outputs ?? []) if (output) seen.add(output);
    for (const input of each.producer?.inputs ?? []) if (input) seen.add(input);
  }
  return seen;
}

function otherLabels({ name, producer }: Value): LossgraftError {
  return new LossgraftError({
    code: 'not-calibrated',
    where: `output "${name}"`,
    expected: 'labels that are picked by the scores',
    found: producer ? `labels of ${describeNode(producer)}, which would stay as they are` : 'labels of no node',
    hint: 'Calibrate the model where it was trained (CalibratedClassifierCV of scikit-learn), and export it again',
  });
}
