import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { createEmitter } from '../../src/emit/index.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { lower } from '../../src/lower/lower.ts';
import { blankModel, editedBytes } from '../../src/onnx/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { addNamedOutputs } from '../../src/transform/outputs.ts';
import { prune } from '../../src/transform/prune.ts';

const INPUTS = 7;

/** dyᵀ·x and the sums of dy's columns, as the engine writes them. */
function gradients(
  columns: number,
  isLowered: boolean,
): { readonly ops: readonly string[]; readonly bytes: Uint8Array } {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const [dy, x] = [graph.define('dy', 'float32', ['N', columns]), graph.define('x', 'float32', ['N', INPUTS])];
  graph.inputs.push(dy, x);
  graph.outputs.push(op.gemm(dy, x, { transA: true, alpha: 0.5 }), op.reduceSum(dy, [0]));
  if (isLowered) lower(op, { expansions, blocked, constant: () => undefined }, { block: 16, batch: 3 });
  prune(graph, { all: true });
  const shapes = [[columns, INPUTS], [columns]];
  const found = graph.outputs.splice(0);
  addNamedOutputs(
    graph,
    found.map((source, i) => ({
      name: ['weight', 'bias'][i] ?? '',
      source,
      like: { dtype: 'float32', shape: shapes[i] },
    })),
  );
  const model = blankModel(17, 'linear');
  return { ops: graph.nodes.map(({ opType }) => opType), bytes: editedBytes(model, graphEdit(model, graph)) };
}

async function numbersOf(bytes: Uint8Array, rows: number, columns: number): Promise<number[]> {
  const wave = (dims: number[]): Tensor => {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * i));
    return { dtype: 'float32', dims, data };
  };
  const session = await openSession(bytes);
  try {
    const { weight, bias } = await session.run({ dy: wave([rows, columns]), x: wave([rows, INPUTS]) });
    return [...Array.from(weight?.data ?? [], Number), ...Array.from(bias?.data ?? [], Number)];
  } finally {
    await session.close();
  }
}

describe("a layer's gradient is turned once, for weight and bias", () => {
  it.each([64, 65, 256, 1024])('of %i columns, for any batch', async (columns) => {
    const lowered = gradients(columns, true);
    expect(lowered.ops.filter((op) => op === 'Transpose')).toHaveLength(1);
    for (const rows of [1, 3, 128]) {
      const plain = await numbersOf(gradients(columns, false).bytes, rows, columns);
      const found = await numbersOf(lowered.bytes, rows, columns);
      expect(found).toHaveLength(columns * (INPUTS + 1));
      for (const [i, value] of plain.entries()) expect(Math.abs((found[i] ?? Number.NaN) - value)).toBeLessThan(2e-5);
    }
  });

  it.each([10, 63, 1025])('and of %i columns it is not', (columns) => {
    expect(gradients(columns, true).ops).toEqual(gradients(columns, false).ops);
  });
});
