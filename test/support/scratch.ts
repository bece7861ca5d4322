import { graphEdit } from '../../src/ir/edit.ts';
import type { Graph, Value } from '../../src/ir/graph.ts';
import { editedBytes, fromBytes, scan } from '../../src/onnx/index.ts';
import type { ModelProto } from '../../src/onnx/types.ts';
import type { DataType, Dim } from '../../src/tensor.ts';

/** ModelProto { ir_version: 8, opset_import: [{ version }], graph: { name } }: nothing in it yet, to write graphs into. */
export function emptyModel(opset: number, name = 'scratch'): ModelProto {
  const text = new TextEncoder().encode(name);
  const graph = Uint8Array.of(0x12, text.length, ...text);
  return scan(fromBytes(Uint8Array.of(0x08, 8, 0x3a, graph.length, ...graph, 0x42, 2, 0x10, opset), name));
}

export function addInput(graph: Graph, name: string, dtype: DataType, shape: readonly Dim[]): Value {
  const value = graph.define(name, dtype, shape);
  graph.inputs.push(value);
  return value;
}

/** The graph as a model file; outputs are left for ONNX Runtime to type. */
export function modelBytes(graph: Graph, opset: number): Uint8Array {
  const model = emptyModel(opset);
  const outputs = graph.outputs.splice(0);
  const edit = graphEdit(model, graph);
  graph.outputs.push(...outputs);
  return editedBytes(model, { ...edit, untypedOutputs: outputs.map(({ name }) => name) });
}
