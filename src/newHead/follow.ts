import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import type { Model } from '../model.ts';
import { RULES } from './followRules.ts';
import type { LinearLayer } from './place.ts';
import { type Stored, storedBehind } from './stored.ts';
import { type NextClasses, notFollowed, type Walk } from './walk.ts';

/** What lies behind a layer and counts its classes. */
export interface FollowedHead {
  /** Of tensors that hold scores of all classes, the axis that counts them. */
  readonly axes: ReadonlyMap<Value, number>;
  /** Of a later Add, where the layer has no bias of its own. */
  readonly bias: Stored | undefined;
  /** Whether all that lies between the layer and `value` only lays numbers out anew, averages them, or adds the bias. */
  isLinear(value: Value): boolean;
  /** Nodes that pick some of the rows. */
  readonly picks: readonly Node[];
  /** What the user should know, once it is changed. */
  readonly notes: readonly string[];
  /** Makes the constants behind the layer those of other classes. */
  change(next: NextClasses): void;
}

/**
 * Follows the scores of a layer to the outputs, and finds every constant that counts its classes.
 *
 * @throws LossgraftError `head-not-followed` naming the node that reads scores in a way that other classes would break.
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
    changes: [],
    notes: [],
    bias,
  };
  for (const each of topologicalOrder(graph)) {
    if (isOneScore) visitOneScore(walk, each);
    else visit(walk, each);
  }
  return {
    axes: walk.axes,
    bias: walk.bias,
    isLinear: (value) => walk.linear.has(value),
    picks: walk.picks,
    notes: walk.notes,
    change: (next) => {
      for (const change of walk.changes) change(next);
    },
  };
}

/** One score stays one score: only its bias is looked for, and what the two classes are called. */
function visitOneScore(walk: Walk, node: Node): void {
  const input = node.inputs.find((value) => value && walk.linear.has(value));
  if (input && node.domain === '' && node.opType === 'Add' && !walk.bias) {
    const other = node.inputs.find((value) => value !== input);
    const stored = other && storedBehind(walk.model, walk.graph, { value: other, reader: node, axis: 0 });
    if (stored && 'tensor' in stored && stored.tensor.data.length === 1) walk.bias = stored;
  }
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
