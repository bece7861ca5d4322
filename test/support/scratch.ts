import { graphEdit } from '../../src/ir/edit.ts';
import type { Graph, Value } from '../../src/ir/graph.ts';
import { blankModel, editedBytes } from '../../src/onnx/index.ts';
import type { ModelProto } from '../../src/onnx/types.ts';
import type { DataType, Dim } from '../../src/tensor.ts';

export function emptyModel(opset: number): ModelProto {
  return blankModel(opset, 'scratch');
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
