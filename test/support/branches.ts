import { writeFileSync } from 'node:fs';
import { createEmitter, type Value } from '../../src/emit/index.ts';
import { fromBytes } from '../../src/files/bytes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { editedBytes, scan } from '../../src/onnx/index.ts';

/** A ModelProto with ir_version 8, a graph named "g" and the ai.onnx opset 17. */
const EMPTY_MODEL = Uint8Array.of(0x08, 0x08, 0x3a, 0x03, 0x12, 0x01, 0x67, 0x42, 0x02, 0x10, 0x11);

interface Form {
  readonly mixing?: boolean;
  readonly filtered?: boolean;
  /** Default 3. */
  readonly classes?: number;
}

/**
 * A classifier of x [N, 6] with two frozen branches, whose results two trained layers read: logits = relu(x·A)·C + sigmoid(x·B)·D.
 * With `mixing`, a row of the first branch depends on the other rows of the batch; `filtered` multiplies its x by a constant float64 matrix.
 */
export function writeBranches(path: string, { mixing = false, filtered = false, classes = 3 }: Form = {}): void {
  const host = scan(fromBytes(EMPTY_MODEL, 'empty model'));
  const graph = buildGraph(host);
  const x = graph.define('x', 'float32', ['N', 6]);
  graph.inputs.push(x);
  const op = createEmitter(graph, 17);
  const weight = (name: string, rows: number, columns: number): Value => {
    const value = graph.define(name, 'float32', [rows, columns]);
    const data = Float32Array.from({ length: rows * columns }, (_, i) => 0.5 * Math.sin(i * 1.7 + name.charCodeAt(0)));
    graph.initializers.set(value, { dtype: 'float32', dims: [rows, columns], data });
    return value;
  };
  const given = filtered ? op.matMul(x, op.cast(filters(graph), 'float32')) : x;
  const centred = mixing ? op.sub(given, op.reduceMean(given, [0], true)) : given;
  const left = op.relu(op.matMul(centred, weight('A', 6, 8)));
  const right = op.sigmoid(op.matMul(x, weight('B', 6, 4)));
  const logits = graph.define('logits', 'float32', ['N', classes]);
  const sum = op.add(op.matMul(left, weight('C', 8, classes)), op.matMul(right, weight('D', 4, classes)));
  graph.addNode({ opType: 'Identity', inputs: [sum], outputs: [logits] });
  graph.outputs.push(logits);
  writeFileSync(path, editedBytes(host, graphEdit(host, graph)));
}

function filters(graph: Graph): Value {
  const value = graph.define('filters', 'float64', [6, 6]);
  const data = Float64Array.from({ length: 36 }, (_, i) =>
    Math.cos((Math.PI / 6) * ((i % 6) + 0.5) * Math.floor(i / 6)),
  );
  graph.initializers.set(value, { dtype: 'float64', dims: [6, 6], data });
  return value;
}
