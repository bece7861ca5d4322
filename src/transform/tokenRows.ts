import type { Emitter, Value } from '../emit/index.ts';
import { int, intAttribute } from '../ir/attributes.ts';
import type { Node } from '../ir/graph.ts';

/**
 * Whether a node selects one score vector per sample from those of all tokens, like language models that classify by the last token. The
 * class axis, the last, stays whole, so that the features' rows can be selected the same way.
 */
export function picksRows(node: Node): boolean {
  const [data, indices] = node.inputs;
  const rank = data?.shape?.length;
  if (node.domain !== '' || rank === undefined || !indices) return false;
  if (node.opType === 'Gather') {
    const axis = intAttribute(node, 'axis', 0);
    return (axis < 0 ? axis + rank : axis) < rank - 1;
  }
  const depth = indices.shape?.at(-1);
  return node.opType === 'GatherND' && typeof depth === 'number' && depth + intAttribute(node, 'batch_dims', 0) < rank;
}

/** Whether a node merges the axes before the last one. */
export function laysRows(node: Node): boolean {
  const rank = node.inputs[0]?.shape?.length;
  const axis = intAttribute(node, 'axis', 1);
  return node.opType === 'Flatten' && rank !== undefined && (axis < 0 ? axis + rank : axis) === rank - 1;
}

/** The same nodes, in order, over the features of all tokens: those of the samples, [N, D]. */
export function pickRows(op: Emitter, features: Value, tokenRows: readonly Node[]): Value {
  const width = features.shape?.at(-1);
  return tokenRows.reduce((value, node) => {
    const shape = node.outputs[0]?.shape?.with(-1, width);
    const names = ['axis', 'batch_dims'].filter((name) => node.attributes.has(name));
    const attributes = Object.fromEntries(names.map((name) => [name, int(intAttribute(node, name, 0))]));
    return op.call(node.opType, [value, ...node.inputs.slice(1)], { attributes, shape });
  }, features);
}
