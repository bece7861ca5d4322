import { LossgraftError } from '../errors.ts';
import { describeNode } from './attributes.ts';
import type { Graph, Node, Value } from './graph.ts';

/**
 * The nodes in topological order, which is the file's own order if possible. Iterative: a chain of 50,000 nodes is fine.
 *
 * @throws LossgraftError `cycle` if there is none.
 */
export function topologicalOrder(graph: Graph): Node[] {
  const waiting = new Map<Node, number>();
  const ready: Node[] = [];
  for (const node of graph.nodes) {
    const open = new Set(reads(node).filter((value) => value.producer !== undefined && value.producer !== node)).size;
    waiting.set(node, open);
    if (open === 0) ready.push(node);
  }
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const order: Node[] = [];
  if (isOrdered(graph, position)) return [...graph.nodes];
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order.push(node);
    for (const output of node.outputs) {
      for (const use of output?.uses ?? []) {
        const left = (waiting.get(use) ?? 0) - 1;
        waiting.set(use, left);
        if (left === 0) ready.push(use);
      }
    }
  }
  if (order.length === graph.nodes.length) return order;
  const stuck = graph.nodes.find((node) => (waiting.get(node) ?? 0) > 0);
  throw new LossgraftError({
    code: 'cycle',
    where: stuck ? describeNode(stuck) : 'graph',
    expected: 'nodes that do not depend on their own outputs',
    found: 'a cycle',
    hint: 'The model is malformed; export it again',
  });
}

function reads(node: Node): Value[] {
  return [...node.inputs.filter((input) => input !== undefined), ...node.captures];
}

function isOrdered(graph: Graph, position: ReadonlyMap<Node, number>): boolean {
  return graph.nodes.every((node, i) =>
    reads(node).every((value) => value.producer === undefined || (position.get(value.producer) ?? -1) < i),
  );
}
