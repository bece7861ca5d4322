import { fromBytes } from '../files/bytes.ts';
import { WireReader } from './reader.ts';
import { scanGraph } from './scanGraph.ts';
import type { RawNode } from './types.ts';

/** The names in a graph, scanned or new. */
export interface GraphLike {
  readonly nodes: readonly (NodeLike | RawNode)[];
  readonly initializers: readonly Named[];
  readonly sparseInitializerNames?: readonly string[];
  readonly inputs: readonly Named[];
  readonly outputs: readonly Named[];
}

export interface NodeLike {
  readonly name: string;
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: ReadonlyMap<string, { readonly type: string; readonly value: unknown }>;
}

interface Named {
  readonly name: string;
}

/** The nodes of a graph; raw ones are scanned. */
function nodesOf(graph: GraphLike): readonly NodeLike[] {
  return graph.nodes.flatMap((node): readonly NodeLike[] => {
    if (!('raw' in node)) return [node];
    const source = fromBytes(node.raw, 'raw node');
    return scanGraph(new WireReader(source), { start: 0, body: 0, end: source.size }).nodes;
  });
}

/** The graphs in a node's attributes (If, Loop, Scan). */
export function subgraphs(node: NodeLike): GraphLike[] {
  const graphs: GraphLike[] = [];
  for (const { type, value } of node.attributes?.values() ?? []) {
    if (type === 'graph') graphs.push(value as GraphLike);
    else if (type === 'graphs') graphs.push(...(value as readonly GraphLike[]));
  }
  return graphs;
}

/** Every value that a node reads, in its own scope or from within its subgraphs. */
export function usedNames(node: NodeLike): string[] {
  return [...node.inputs.filter((name) => name !== ''), ...subgraphs(node).flatMap(freeNames)];
}

/** Every value that a graph defines itself, subgraphs not included. */
export function definedNames(graph: GraphLike): string[] {
  return [
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
    ...(graph.sparseInitializerNames ?? []),
    ...nodesOf(graph).flatMap(({ outputs }) => outputs.filter((name) => name !== '')),
  ];
}

/** Every value that the subgraphs of a node define, at any depth. */
export function innerNames(node: NodeLike): string[] {
  return subgraphs(node).flatMap((graph) => [...definedNames(graph), ...nodesOf(graph).flatMap(innerNames)]);
}

/** The values that a graph reads but does not define: those of the scopes around it. */
function freeNames(graph: GraphLike): string[] {
  const own = new Set(definedNames(graph));
  const used = [...nodesOf(graph).flatMap(usedNames), ...graph.outputs.map(({ name }) => name)];
  return used.filter((name) => !own.has(name));
}
