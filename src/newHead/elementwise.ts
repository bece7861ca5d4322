import type { Value } from '../ir/graph.ts';
import { storedBehind } from './stored.ts';
import { dimOf, keep, rankOf } from './visits.ts';
import { notFollowed, type Visit } from './walk.ts';

/**
 * Elementwise operators on scores and other tensors. A constant with one number per class is the layer's bias if it is added and the
 * layer has none yet; any other would need unknown numbers for the new classes.
 */
export function elementwise(visit: Visit): void {
  const { walk, node } = visit;
  const ranks = node.inputs.flatMap((input) => (input ? [rankOf(walk, input)] : []));
  const rank = Math.max(...ranks);
  const fromEnd = rankOf(walk, visit.input) - visit.axis;
  let isBiased = false;
  for (const other of node.inputs) {
    if (!other || walk.axes.has(other)) continue;
    const own = rankOf(walk, other) - fromEnd;
    if (own < 0 || dimOf(walk, other, own) === 1) continue;
    if (!takesBias(visit, other, own)) throw notFollowed(node, 'a number for each class beside the layer’s own bias');
    isBiased = true;
  }
  keep(visit, rank - fromEnd, isBiased);
}

function takesBias({ walk, node, input }: Visit, value: Value, axis: number): boolean {
  if (node.opType !== 'Add' || walk.bias || !walk.linear.has(input)) return false;
  if (dimOf(walk, value, axis) !== walk.outputs) return false;
  const stored = storedBehind(walk.model, walk.graph, { value, reader: node, axis });
  if (!('tensor' in stored)) return false;
  walk.bias = stored;
  return true;
}
