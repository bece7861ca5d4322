import { int } from '../ir/attributes.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { DATA_TYPES } from '../tensor.ts';

/** A Cast that makes `to`, a value that others read already, of `from`. */
export function castInto(graph: Graph, from: Value, to: Value): void {
  const attributes = new Map([['to', int(DATA_TYPES[to.dtype ?? 'float32'])]]);
  graph.addNode({ opType: 'Cast', inputs: [from], outputs: [to], attributes });
}
