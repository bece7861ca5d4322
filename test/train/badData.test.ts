import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFurther } from '../../cli/dataOptions.ts';
import * as lossgraft from '../../src/index.ts';
import { type Dataset, fromTensors, open, openData, type Tensor, type TrainOptions, train } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const labelsOf = (labels: readonly number[]): Tensor => ({
  dtype: 'int64',
  dims: [labels.length],
  data: BigInt64Array.from(labels, BigInt),
});
const images = (dims: readonly number[]): Tensor => ({
  dtype: 'float32',
  dims,
  data: new Float32Array(dims.reduce((n, dim) => n * dim, 1)).map((_, i) => Math.sin(i)),
});

async function attempt(data: Dataset, options: Partial<TrainOptions> = {}): Promise<readonly string[]> {
  const model = await open(join(DIGITS, 'model.onnx'));
  try {
    const { notes } = await train(model, { epochs: 1, ...options, data, folder: temporaryFolder() });
    return notes;
  } finally {
    model.close();
  }
}

describe('training refuses, before it begins, with the data’s name', () => {
  const labels = Array.from({ length: 60 }, (_, i) => i % 10);

  it('samples of another shape', async () => {
    const data = fromTensors({ images: images([60, 64]), labels: labelsOf(labels) }, 'flat.npz');
    await expect(attempt(data)).rejects.toThrow(
      /^\[flat\.npz, input images\] expected float32\[N, 1, 8, 8\], found float32\[60, 64\]/,
    );
  });

  it('a class without samples, where the loss is made of class counts', async () => {
    const given = { images: images([60, 1, 8, 8]), labels: labelsOf(labels.map((k) => (k === 7 ? 6 : k))) };
    const data = fromTensors(given, 'sixes.npz');
    await expect(attempt(data, { loss: 'ldam' })).rejects.toThrow(
      /^\[sixes\.npz, labels\] expected training samples of all 10 classes.* found none of class 7\./,
    );
    const notes = await attempt(data, { loss: 'ib', classWeights: 'inverse' });
    expect(notes).toContainEqual(expect.stringMatching(/No training sample of class 7/));
    expect(notes).toContainEqual(expect.stringMatching(/No validation sample of class 7/));
  });

  it('says that judged data are the training data', async () => {
    const data = fromTensors({ images: images([60, 1, 8, 8]), labels: labelsOf(labels) }, 'all.npz');
    const notes = await attempt(data, { test: data });
    expect(notes).toContainEqual(expect.stringMatching(/^The test data are the training data, all\.npz/));
  });
});

it('--validation and --test of an IDX folder are its test part, whatever --split says', async () => {
  const folder = join(ROOT, 'fixtures/data/idx');
  for (const split of [undefined, 'train'] as const) {
    const first = await openData(folder, split === undefined ? {} : { split });
    const further = await openFurther(lossgraft, folder, split === undefined ? {} : { split });
    expect(first.columns.get('labels')?.dims).toEqual([30]);
    expect(further.columns.get('labels')?.dims).toEqual([10]);
    first.close();
    further.close();
  }
});
