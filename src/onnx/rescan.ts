import { fromBytes } from '../files/bytes.ts';
import { WireReader } from './reader.ts';
import { scanGraph } from './scanGraph.ts';
import type { GraphProto } from './types.ts';

/** Fields of a GraphProto, such as nodes that were patched, scanned as a graph with a source of its own. */
export function rescan(fields: Uint8Array, name: string): { readonly graph: GraphProto; readonly reader: WireReader } {
  const reader = new WireReader(fromBytes(fields, name));
  return { graph: scanGraph(reader, { start: 0, body: 0, end: fields.length }), reader };
}
