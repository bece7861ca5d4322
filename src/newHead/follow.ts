import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import type { Model } from '../model.ts';
import { isRounding } from '../transform/quantised.ts';
import type { LinearLayer, Stored } from './elements.ts';
import { RULES, rounded } from './followRules.ts';
import { addScale, type ScoreScales } from './reach.ts';
import { storedBehind } from './stored.ts';
import { type NextClasses, notFollowed, type Walk } from './walk.ts';

/** Everything behind a layer that counts its classes. */
export interface FollowedHead {
  /** The class axis of tensors that hold scores of all classes. */
  readonly axes: ReadonlyMap<Value, number>;
  /** The bias of a later Add, if the layer has none. */
  readonly bias: Stored | undefined;
  /** Whether everything between the layer and `value` only rearranges numbers, averages them, or adds the bias. */
  isLinear(value: Value): boolean;
  /** Scales by which the file rounds the layer's scores. */
  readonly scales: ScoreScales;
  /** Nodes that pick some of the rows. */
  readonly picks: readonly Node[];
  /** Notes for the user after the change. */
  readonly notes: readonly string[];
  /** Adapts the constants behind the layer to other classes. */
  change(next: NextClasses): void;
}

/**
 * Follows a layer's scores to the outputs, and finds every constant that counts its classes.
 *
 * @throws LossgraftError `head-not-followed` naming a node that reads scores in a way that other classes would break.
 */
export function followHead(model: Model, graph: Graph, layer: LinearLayer, isOneScore: boolean): FollowedHead {
  const { node, outputs, axis, bias } = layer;
  const [result] = node.outputs;
  const walk: Walk = {
    model,
    graph,
    outputs,
    classes: isOneScore ? 2 : outputs,
    axes: new Map(result ? [[result, axis]] : []),
    indices: new Set(),
    linear: new Set(result ? [result] : []),
    picks: [],
    scales: new Map(),
    changes: [],
    notes: [],
    bias,
  };
  if (layer.rounds) addScale(walk.scales, layer.rounds, node);
  for (const each of topologicalOrder(graph)) {
    if (isOneScore) visitOneScore(walk, each);
    else visit(walk, each);
  }
  return {
    axes: walk.axes,
    bias: walk.bias,
    isLinear: (value) => walk.linear.has(value),
    scales: walk.scales,
    picks: walk.picks,
    notes: walk.notes,
    change: (next) => {
      for (const change of walk.changes) change(next);
    },
  };
}

/** One score stays one score: only its bias and the names of the two classes are sought. */
function visitOneScore(walk: Walk, node: Node): void {
  const input = node.inputs.find((value) => value && walk.linear.has(value));
  if (input && node.domain === '' && node.opType === 'Add' && !walk.bias) {
    const other = node.inputs.find((value) => value !== input);
    const stored = other && storedBehind(walk.model, walk.graph, { value: other, reader: node, axis: 0 });
    if (stored && 'tensor' in stored && stored.tensor.data.length === 1) walk.bias = stored;
  }
  if (input && node.inputs[0] === input && isRounding(node)) rounded({ walk, node, input, axis: 0 });
  const isLaidOut = ['Identity', 'Cast', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'].includes(node.opType);
  if (input && node.outputs[0] && isLaidOut) walk.linear.add(node.outputs[0]);
  const [first] = node.inputs;
  if (node.domain === 'ai.onnx.ml' && first) RULES.labels.get(node.opType)?.({ walk, node, input: first, axis: 0 });
}

function visit(walk: Walk, node: Node): void {
  const captured = node.captures.find((value) => walk.axes.has(value));
  if (captured) throw notFollowed(node, 'a body that reads the scores');
  const [input] = [walk.axes, walk.indices].flatMap((held) => node.inputs.filter((value) => value && held.has(value)));
  if (!input) return;
  const axis = walk.axes.get(input);
  const rules = axis === undefined ? RULES.indices : RULES.scores;
  const rule = rules.get(node.domain === '' ? node.opType : `${node.domain}.${node.opType}`);
  if (rule) rule({ walk, node, input, axis: axis ?? 0 });
  else if (axis !== undefined)
    throw notFollowed(node, 'an operator of which it is not known what it makes of other classes');
}
