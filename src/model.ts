import { basename, dirname, resolve } from 'node:path';
import { buildGraph } from './ir/build.ts';
import type { Graph, Node, Value } from './ir/graph.ts';
import { checkExternal, openFile, scan } from './onnx/index.ts';
import type { ModelProto } from './onnx/types.ts';
import { markBfloat16 } from './runtime/oracle/bfloat16.ts';
import { inferTypes } from './runtime/oracle/oracle.ts';
import { forgetBodySizes } from './runtime/oracle/restate.ts';

/** An opened ONNX file. Its structure is in memory, its weights stay in the file; it is never written to. */
export interface Model {
  readonly path: string;
  readonly name: string;
  /** The folder against which external data are resolved. */
  readonly dir: string;
  readonly proto: ModelProto;
  /** The ai.onnx opset. */
  readonly opset: number;
  close(): void;
}

/**
 * Opens an ONNX model.
 *
 * @throws LossgraftError if the file is missing, truncated or no ONNX model, or says what cannot be of its external data.
 */
export async function open(path: string): Promise<Model> {
  const source = openFile(path);
  try {
    const proto = scan(source);
    checkExternal(source, proto.graph);
    const absolute = resolve(path);
    const opset = proto.opsetImports.get('') ?? 1;
    return { path: absolute, name: basename(path), dir: dirname(absolute), proto, opset, close: () => source.close() };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** How far before the outputs types are asked for by default: a head and its tail are shorter. */
const TAIL_DEPTH = 16;

/** A new graph of the model to work on, after `edit`, typed near its outputs (and round the `named` tensors). */
export async function typedGraph(
  model: Model,
  named: readonly (string | undefined)[] = [],
  edit: (graph: Graph) => void = () => {},
): Promise<Graph> {
  const graph = buildGraph(model.proto);
  edit(graph);
  markBfloat16(graph);
  forgetBodySizes(model.proto, graph);
  await inferTypes(model.proto, graph, valuesBefore(graph, named));
  return graph;
}

/** The values within {@link TAIL_DEPTH} nodes before the outputs and the named tensors. */
export function valuesBefore(graph: Graph, named: readonly (string | undefined)[]): Value[] {
  const extra = named.flatMap((name) =>
    name === undefined ? [] : [graph.value(name, `${name} (named by an option)`)],
  );
  const seen = new Set<Value>([...graph.outputs, ...extra]);
  let frontier: Value[] = [...seen];
  for (let depth = 0; depth < TAIL_DEPTH; depth++) {
    const producers = new Set<Node>(frontier.flatMap((value) => (value.producer ? [value.producer] : [])));
    frontier = [];
    for (const producer of producers) {
      for (const input of producer.inputs) {
        if (!input || seen.has(input)) continue;
        seen.add(input);
        frontier.push(input);
      }
    }
  }
  return [...seen];
}
