import { createEmitter, int, type Value } from '../../src/emit/index.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { blankModel, editedBytes } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { floats } from '../transform/oldModels.ts';

/** x [N, 5] → Gemm → Relu → Dropout → Gemm → logits [N, 3]; with `samplesLast` the Dropout sees [8, N]. */
export function dropoutMlp({ samplesLast = false } = {}): Uint8Array {
  const model = blankModel(17, 'mlp');
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const x = graph.define('x', 'float32', ['N', 5]);
  graph.inputs.push(x);
  const weight = (name: string, tensor: Tensor) => {
    const value = graph.define(name, tensor.dtype, tensor.dims);
    graph.initializers.set(value, tensor);
    return value;
  };
  const transB = { attributes: { transB: int(1) } };
  const hidden = op.relu(op.call('Gemm', [x, weight('w1', floats(8, 5)), weight('b1', floats(8))], transB));
  const turn = (value: Value): Value => (samplesLast ? op.transpose(value, [1, 0]) : value);
  const dropped = turn(op.call('Dropout', [turn(hidden), op.scalar(0.4, 'float32'), op.scalar(1, 'bool')]));
  const logits = graph.define('logits', 'float32', ['N', 3]);
  graph.addNode({
    opType: 'Gemm',
    inputs: [dropped, weight('w2', floats(3, 8)), weight('b2', floats(3))],
    outputs: [logits],
    attributes: new Map([['transB', int(1)]]),
  });
  graph.outputs.push(logits);
  return editedBytes(model, graphEdit(model, graph));
}
