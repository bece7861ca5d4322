import { graphEdit } from '../../ir/edit.ts';
import { Graph } from '../../ir/graph.ts';
import { blankModel, editedBytes } from '../../onnx/index.ts';
import type { Tensor } from '../../tensor.ts';
import { DeviceTensor, type Feed, openSession } from '../session.ts';

/**
 * Brings tensors from the GPU's memory: by a run of a graph that copies each, since asking onnxruntime-node for the data of one ends the
 * process (seen in 1.30).
 */
export async function readBack(tensors: Readonly<Record<string, Feed>>): Promise<Record<string, Tensor>> {
  const found: Record<string, Tensor> = {};
  const away = new Map<string, DeviceTensor>();
  for (const [name, tensor] of Object.entries(tensors)) {
    if (tensor instanceof DeviceTensor) away.set(name, tensor);
    else found[name] = tensor;
  }
  if (away.size === 0) return found;
  const session = await openSession(copier(away), {
    provider: 'webgpu',
    optimization: 'off',
    name: 'reading tensors back',
  });
  try {
    return {
      ...found,
      ...(await session.run(Object.fromEntries(away), [...away.keys()].map(outputOf)).then(renamed(away))),
    };
  } finally {
    await session.close();
  }
}

function outputOf(name: string): string {
  return `${name}/copy`;
}

function renamed(away: ReadonlyMap<string, DeviceTensor>) {
  return (results: Record<string, Tensor>): Record<string, Tensor> => {
    const copies = [...away.keys()].map((name) => [name, results[outputOf(name)]] as const);
    return Object.fromEntries(copies.flatMap(([name, copy]) => (copy ? [[name, copy]] : [])));
  };
}

const OPSET = 17;

function copier(tensors: ReadonlyMap<string, DeviceTensor>): Uint8Array {
  const graph = new Graph();
  for (const [name, { dtype, dims }] of tensors) {
    const input = graph.define(name, dtype, dims);
    const output = graph.define(outputOf(name), dtype, dims);
    graph.inputs.push(input);
    graph.outputs.push(output);
    graph.addNode({ opType: 'Identity', inputs: [input], outputs: [output] });
  }
  const blank = blankModel(OPSET, 'copies');
  return editedBytes(blank, graphEdit(blank, graph));
}
