import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { augment, fromTensors, open, openData, type RunResult, run } from '../src/index.ts';
import { decodeTensor } from '../src/onnx/index.ts';
import type { Tensor } from '../src/tensor.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures');
const COUNTS = [130, 90, 63, 44, 31, 21, 15, 10, 7, 5];

async function augmented(options: Parameters<typeof augment>[1]): Promise<Uint8Array> {
  const model = await open(join(FIXTURES, 'digits/model.onnx'));
  const bytes = (await augment(model, options)).bytes();
  model.close();
  return bytes;
}

/** The symbolic batch N, in place, as the number `size`: dim_param "N" becomes dim_value, three bytes for three. */
function withFixedBatch(model: Uint8Array, size: number): Uint8Array {
  const bytes = Buffer.from(model);
  const symbol = Buffer.from([0x0a, 0x03, 0x12, 0x01, 0x4e]);
  for (let at = bytes.indexOf(symbol); at >= 0; at = bytes.indexOf(symbol, at)) {
    bytes.set([0x08, 0x80 | size, 0x00], at + 2);
  }
  return bytes;
}

async function train(rows: number): Promise<Record<string, Tensor>> {
  const data = await openData(join(FIXTURES, 'digits/train.npz'));
  const images = await data.columns.get('images')?.read(0, rows);
  const labels = await data.columns.get('labels')?.read(0, rows);
  data.close();
  if (images === undefined || labels === undefined) throw new Error('fixtures');
  return { images, labels };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

let model: Uint8Array;
beforeAll(async () => {
  model = await augmented({ loss: 'ib', classCounts: COUNTS });
});

describe('a run over data', () => {
  it('gives PyTorch’s losses and factors of the first 64 images', async () => {
    const folder = join(FIXTURES, 'cases/digits/ib/test_data_set_0');
    const outputs = new Map(
      [0, 1, 2, 3].map((i) => {
        const { name, tensor } = decodeTensor(readFileSync(join(folder, `output_${i}.pb`)));
        return [name, Array.from(tensor.data, Number)] as const;
      }),
    );
    const result = await run(model, fromTensors(await train(64)));
    for (const own of ['loss_per_sample', 'ib_factor']) {
      const expected = outputs.get(own) ?? [];
      expect(expected).toHaveLength(64);
      for (const [row, value] of expected.entries()) {
        expect(Math.abs((result.perSample[own]?.[row] ?? Number.NaN) - value)).toBeLessThan(
          5e-5 * Math.abs(value) + 1e-12,
        );
      }
    }
    const [loss = Number.NaN] = outputs.get('loss') ?? [];
    expect(Math.abs(result.loss / loss - 1)).toBeLessThan(5e-5);
  });

  it('does not depend on how batches divide the data', async () => {
    const data = fromTensors(await train(100));
    const whole = await run(model, data, { batchSize: 100 });
    for (const batchSize of [1, 7, 33, 256]) {
      const parts = await run(model, data, { batchSize });
      expect(parts.labels).toEqual(whole.labels);
      expect(Math.abs(parts.loss / whole.loss - 1)).toBeLessThan(1e-5);
      expect(parts.classes.map(({ samples }) => samples)).toEqual(whole.classes.map(({ samples }) => samples));
    }
  });

  it('sums up classes', async () => {
    const data = await train(100);
    const result = await run(model, fromTensors(data));
    const labels = Array.from(data.labels?.data ?? [], Number);
    const ofClass = (label: number, own: string): number[] =>
      labels.flatMap((y, row) => (y === label ? [result.perSample[own]?.[row] ?? Number.NaN] : []));
    expect(result.classes.map(({ label }) => label)).toEqual([...new Set(labels)].sort((a, b) => a - b));
    for (const { label, samples, means } of result.classes) {
      expect(samples).toBe(ofClass(label, 'ib_factor').length);
      expect(means.ib_factor).toBeCloseTo(mean(ofClass(label, 'ib_factor')), 6);
      expect(means.loss_per_sample).toBeCloseTo(mean(ofClass(label, 'loss_per_sample')), 9);
    }
  });

  it('reports progress by batch', async () => {
    const seen: number[] = [];
    await run(model, fromTensors(await train(50)), {
      batchSize: 20,
      onProgress: ({ done, total }) => seen.push(done, total),
    });
    expect(seen).toEqual([20, 50, 40, 50, 50, 50]);
  });
});

describe('a fixed batch', () => {
  let whole: RunResult;
  beforeAll(async () => {
    whole = await run(model, fromTensors(await train(50)), { batchSize: 50 });
  });

  it('is taken as it is; the last batch is filled, and nothing is dropped or counted twice', async () => {
    const result = await run(withFixedBatch(model, 24), fromTensors(await train(50)));
    expect(result.batchSize).toBe(24);
    expect(result.notes).toEqual([expect.stringContaining('holds 2 of 24 samples: it was filled with repeats')]);
    expect(result.labels).toEqual(whole.labels);
    expect(result.classes.map(({ samples }) => samples)).toEqual(whole.classes.map(({ samples }) => samples));
    expect(Math.abs(result.loss / whole.loss - 1)).toBeLessThan(1e-5);
  });

  it('that divides the data is nothing to speak of', async () => {
    expect((await run(withFixedBatch(model, 25), fromTensors(await train(50)))).notes).toEqual([]);
  });

  it('refuses another batch size', async () => {
    const attempt = run(withFixedBatch(model, 24), fromTensors(await train(50)), { batchSize: 8 });
    await expect(attempt).rejects.toThrow(/expected 24, the fixed batch size of this model.*found 8/);
  });
});

describe('what is converted, renamed and noted', () => {
  it('float64 data and small integer labels', async () => {
    const { images, labels } = await train(30);
    const as64 = Float64Array.from(images?.data ?? [], Number);
    const small = Uint8Array.from(labels?.data ?? [], Number);
    const result = await run(
      model,
      fromTensors({
        images: { dtype: 'float64', dims: [30, 1, 8, 8], data: as64 },
        labels: { dtype: 'uint8', dims: [30, 1], data: small },
        id: { dtype: 'int64', dims: [30], data: new BigInt64Array(30) },
      }),
    );
    const plain = await run(model, fromTensors(await train(30)));
    expect(result.perSample).toEqual(plain.perSample);
    expect(result.notes).toEqual([
      "tensors: images is float64; rounded to the model's float32",
      'tensors: the model has no input id; left aside',
    ]);
  });

  it('names that were changed: labels may keep theirs in the data', async () => {
    const renamed = await augmented({
      loss: 'ib',
      rename: { labels: 'target', loss_per_sample: 'each', ib_factor: 'f' },
    });
    const { images, labels } = await train(30);
    if (images === undefined || labels === undefined) throw new Error('fixtures');
    const byOwn = await run(renamed, fromTensors({ images, labels }));
    const byNew = await run(renamed, fromTensors({ images, target: labels }));
    expect(byNew.perSample).toEqual(byOwn.perSample);
    expect(Object.keys(byOwn.perSample)).toEqual(['loss_per_sample', 'ib_factor']);
  });

  it('the sum where the model was augmented with it', async () => {
    const data = fromTensors(await train(30));
    const sum = await run(await augmented({ loss: 'ce', reduction: 'sum' }), data, { batchSize: 7 });
    const average = await run(await augmented({ loss: 'ce' }), data);
    const none = await run(await augmented({ loss: 'ce', reduction: 'none' }), data);
    expect([sum.reduction, average.reduction, none.reduction]).toEqual(['sum', 'mean', 'mean']);
    expect(Math.abs(sum.loss / (30 * average.loss) - 1)).toBeLessThan(1e-5);
    expect(none.loss).toBe(average.loss);
    expect(Object.keys(sum.perSample)).toEqual(['loss_per_sample']);
  });

  it('results that are not finite', async () => {
    const { images, labels } = await train(5);
    const pixels = Float32Array.from(images?.data ?? [], Number).fill(Number.POSITIVE_INFINITY, 2 * 64, 3 * 64);
    if (labels === undefined) throw new Error('fixtures');
    const data = fromTensors({ images: { dtype: 'float32', dims: [5, 1, 8, 8], data: pixels }, labels });
    const { notes } = await run(model, data);
    expect(notes[0]).toMatch(/^loss_per_sample is not finite in 1 of 5 samples, first in row 2 \(/);
  });
});
