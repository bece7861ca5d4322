import { LossgraftError, option } from '../errors.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { isRuntimeType } from '../runtime/feeds.ts';
import { prune } from './prune.ts';

/** Where a graph is cut in two: the part before these tensors depends only on the data, never on what is trained. */
export interface Cut {
  /** Tensors computed before the cut, with one row per sample. */
  readonly made: readonly Value[];
  /** Inputs of the model that are also read behind the cut. */
  readonly passed: readonly Value[];
  /** Nodes before the cut. */
  readonly nodes: readonly Node[];
}

export interface CutRequest {
  /** The model's inputs, without the labels. */
  readonly data: readonly Value[];
  /** Values that change from step to step: trained parameters, running statistics and labels. */
  readonly moving: readonly Value[];
  readonly outputs: readonly Value[];
  /** Nodes that may lie before the cut: those shared by every graph of a run. */
  readonly among: ReadonlySet<Node>;
}

/**
 * The last tensors that depend on the data but not on `moving`. Values without one row per sample, such as shapes, are computed again
 * behind the cut.
 */
export function findCut(graph: Graph, { data, moving, outputs, among }: CutRequest): Cut {
  const needed = nodesBefore(outputs);
  const order = topologicalOrder(graph).filter((node) => needed.has(node));
  const moved = reachedFrom(order, moving);
  const fed = reachedFrom(order, data);
  const frozen = new Set(order.filter((node) => among.has(node) && fed.has(node) && !moved.has(node)));
  const behind = (value: Value): boolean =>
    outputs.includes(value) || [...value.uses].some((use) => needed.has(use) && !frozen.has(use) && fed.has(use));
  const batch = data[0]?.shape?.[0];
  // Backwards: a node that moves behind the cut may take its predecessors along.
  for (const node of order.toReversed()) {
    if (frozen.has(node) && node.outputs.some((output) => output && behind(output) && !canBeCut(output, batch, frozen)))
      frozen.delete(node);
  }
  const made = [...frozen].flatMap(({ outputs: own }) => own.filter((value) => value !== undefined)).filter(behind);
  return { made, passed: data.filter(behind), nodes: [...frozen] };
}

function nodesBefore(outputs: readonly Value[]): Set<Node> {
  const nodes = new Set<Node>();
  const values = new Set(outputs);
  for (const { producer } of values) {
    if (!producer || nodes.has(producer)) continue;
    nodes.add(producer);
    for (const value of [...producer.inputs, ...producer.captures]) if (value) values.add(value);
  }
  return nodes;
}

function reachedFrom(order: readonly Node[], sources: readonly Value[]): Set<Node> {
  const values = new Set(sources);
  const nodes = new Set<Node>();
  for (const node of order) {
    if (![...node.inputs, ...node.captures].some((value) => value && values.has(value))) continue;
    nodes.add(node);
    for (const output of node.outputs) if (output && !values.has(output)) values.add(output);
  }
  return nodes;
}

/** One row per sample, of a type that can pass between graphs, and read by nodes, not by their subgraphs. */
function canBeCut(value: Value, batch: number | string | undefined, frozen: ReadonlySet<Node>): boolean {
  const { dtype, shape } = value;
  if (dtype === undefined || dtype === 'string' || !isRuntimeType(dtype)) return false;
  if (shape === undefined || shape.length === 0) return false;
  const isRow = shape[0] === batch || (typeof batch === 'string' && typeof shape[0] !== 'number');
  return isRow && ![...value.uses].some((use) => !frozen.has(use) && use.captures.includes(value));
}

const PREFIX = 'lossgraft/frozen/';

/** The input that replaces a tensor behind the cut. */
export function cutInput(name: string): string {
  return `${PREFIX}${name}`;
}

/** Where graphs are cut: the tensors that become inputs, and the model's inputs that may also be read behind the cut. */
export interface CutPlace {
  readonly names: readonly string[];
  readonly passed: readonly string[];
}

/**
 * Keeps only the part of the graph behind a cut: the tensors with these names become inputs, under {@link cutInput} names.
 *
 * @param outputs that must still be computed.
 * @param data the model's inputs; unused ones are removed.
 * @throws LossgraftError `beyond-cut` if the rest reads model inputs that the cut does not pass on.
 */
export function cutAt(
  graph: Graph,
  { names, passed }: CutPlace,
  { outputs, data, among }: Omit<CutRequest, 'moving'>,
): void {
  for (const name of names) {
    const value = graph.values.get(name);
    if (!value) continue;
    const input = graph.define(cutInput(name), value.dtype, value.shape);
    graph.replaceUses(value, input);
    graph.inputs.push(input);
  }
  graph.outputs.splice(0, graph.outputs.length, ...outputs);
  // The loss's own nodes stay: hand-written gradients read values that the loss does not.
  prune(graph, { all: true, among });
  const cuts = new Set(names.map(cutInput));
  for (const input of [...graph.inputs]) {
    if (input.uses.size > 0 || outputs.includes(input) || !(data.includes(input) || cuts.has(input.name))) continue;
    graph.inputs.splice(graph.inputs.indexOf(input), 1);
    graph.values.delete(input.name);
  }
  const further = data.find((input) => graph.inputs.includes(input) && !passed.includes(input.name));
  if (further) throw beyond(further);
}

function beyond({ name }: Value): LossgraftError {
  return new LossgraftError({
    code: 'beyond-cut',
    where: `input "${name}"`,
    expected: 'a graph that reads nothing before the trained part but what the other graphs of the run read, too',
    found: 'one that does',
    hint: `Turn off the cache: ${option('cacheFeatures', 'off')}`,
  });
}
