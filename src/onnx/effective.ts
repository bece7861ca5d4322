import { fromBytes } from '../files/bytes.ts';
import type { NodeLike } from './names.ts';
import { WireReader } from './reader.ts';
import { scanGraph } from './scanGraph.ts';
import type { GraphProto, ModelEdit, ModelProto, NodeProto, Span } from './types.ts';

/** An entry of the graph as it will be after an edit. */
export interface Entry<T> {
  readonly item: T;
  /** True where the edit brings it: appended, or in place of a field of the host. */
  readonly isNew: boolean;
}

interface Named {
  readonly name: string;
}

/** The names of a graph as they will be after an edit. */
export interface EffectiveGraph {
  readonly nodes: readonly Entry<NodeLike>[];
  readonly inputs: readonly Entry<Named>[];
  readonly initializers: readonly Entry<Named>[];
  readonly outputs: readonly Entry<Named>[];
  readonly valueInfos: readonly Entry<Named>[];
}

/** Works out the graph after `edit` without writing it; replacements at the graph's own level are scanned. */
export function effectiveGraph({ graph, source }: ModelProto, edit: ModelEdit): EffectiveGraph {
  const removed = new Set((edit.removals ?? []).map(({ start }) => start));
  const replaced = new Map<number, Uint8Array>();
  for (const { span, bytes } of edit.replacements ?? []) replaced.set(span.start, bytes);
  const scanned = (bytes: Uint8Array): GraphProto => {
    const name = `replacement in ${source.name}`;
    return scanGraph(new WireReader(fromBytes(bytes, name)), { start: 0, body: 0, end: bytes.length });
  };
  const before = new Map<number, readonly NodeLike[]>();
  for (const { before: span, nodes } of edit.nodesBefore ?? []) {
    before.set(span.start, [...(before.get(span.start) ?? []), ...nodes]);
  }
  function after<T extends { readonly span: Span }>(
    host: readonly T[],
    pick: (graph: GraphProto) => readonly T[],
  ): Entry<T>[] {
    return host.flatMap((item): Entry<T>[] => {
      if (removed.has(item.span.start)) return [];
      const bytes = replaced.get(item.span.start);
      if (bytes === undefined) return [{ item, isNew: false }];
      return pick(scanned(bytes)).map((fresh) => ({ item: fresh, isNew: true }));
    });
  }
  return {
    nodes: [
      ...graph.nodes.flatMap((node) => [
        ...fresh<NodeLike>(before.get(node.span.start)),
        ...after<NodeProto>([node], (g) => g.nodes),
      ]),
      ...fresh(edit.nodes),
    ],
    inputs: [...after(graph.inputs, (g) => g.inputs), ...fresh(edit.inputs)],
    initializers: [
      ...after(graph.initializers, (g) => g.initializers),
      ...graph.sparseInitializerNames.map((name) => ({ item: { name }, isNew: false })),
      ...fresh(edit.initializers),
    ],
    outputs: [
      ...after(graph.outputs, (g) => g.outputs),
      ...fresh(edit.outputs),
      ...fresh(edit.untypedOutputs?.map((name) => ({ name }))),
    ],
    valueInfos: [...after(graph.valueInfos, (g) => g.valueInfos), ...fresh(edit.valueInfos)],
  };
}

function fresh<T>(items: readonly T[] = []): Entry<T>[] {
  return items.map((item) => ({ item, isNew: true }));
}
