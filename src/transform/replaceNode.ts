import { type Graph, Node, type NodeAttributes, type Value } from '../ir/graph.ts';

/** An operator call that takes a node's place. */
export interface Call {
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly (Value | undefined)[];
  readonly attributes: NodeAttributes;
}

/**
 * Puts a call in a node's place, at the end of the graph's nodes: the caller pushes them anew, in order. Outputs that both have stay
 * the same values, so that what reads them need not change; outputs that only the node had are gone.
 */
export function replaceNode(
  graph: Graph,
  node: Node,
  { opType, domain = '', inputs, outputs, attributes }: Call,
): void {
  for (const output of node.outputs) {
    if (!output) continue;
    output.producer = undefined;
    if (!outputs.includes(output)) graph.values.delete(output.name);
  }
  graph.detach(node);
  graph.attach(new Node({ name: node.name, opType, domain, attributes }), inputs, outputs);
}

/** Whether a node, a body or the user reads a value. */
export function isRead(graph: Graph, value: Value | undefined): boolean {
  return value !== undefined && (value.uses.size > 0 || graph.outputs.includes(value));
}
