import type { Graph, Node, Value } from '../ir/graph.ts';

/** Removes unread nodes and constants of lossgraft's own; with `all`, also the file's. With `among`, only those nodes are removed. */
export function prune(
  graph: Graph,
  { all = false, among }: { readonly all?: boolean; readonly among?: ReadonlySet<Node> } = {},
): void {
  const outputs = new Set<Value>(graph.outputs);
  const isUsed = (value: Value | undefined) => value !== undefined && (value.uses.size > 0 || outputs.has(value));
  for (const node of [...graph.nodes].reverse()) {
    const isKept = (node.proto && !all) || among?.has(node) === false || node.outputs.some(isUsed);
    if (!isKept) graph.remove(node);
  }
  for (const [value, source] of graph.initializers) {
    if (('span' in source && !all) || isUsed(value)) continue;
    graph.initializers.delete(value);
    graph.values.delete(value.name);
  }
}
