import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  fromTensors,
  open,
  openData,
  type Tensor,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';
import { SOFT } from '../support/softCases.ts';

const SMALL = { epochs: 2, batchSize: 32, stepsPerRun: 2, report: false } as const;

async function run(
  model: string,
  options: Partial<TrainOptions> & { readonly data: Dataset },
  folder = temporaryFolder(),
): Promise<TrainResult> {
  const opened = await open(model);
  try {
    const result = await train(opened, { ...SMALL, ...options, folder });
    if (!result.interrupted) await result.write(join(folder, 'tuned.onnx'), { force: true, anyway: true });
    return result;
  } finally {
    opened.close();
  }
}

async function digits(options: Partial<TrainOptions>, folder?: string): Promise<TrainResult> {
  using data = await openData(join(DIGITS, 'train.npz'));
  return await run(join(DIGITS, 'model.onnx'), { data, ...options }, folder);
}

const lossesOf = ({ history }: TrainResult) =>
  history.flatMap(({ trainLoss }) => (trainLoss === null ? [] : [trainLoss]));
const bytes = (folder: string) => readFileSync(join(folder, 'tuned.onnx'));

async function tensorsOf(data: Dataset): Promise<Record<string, Tensor>> {
  const columns = [...data.columns].map(
    async ([name, column]) => [name, await column.read(0, column.dims[0] ?? 0)] as const,
  );
  return Object.fromEntries(await Promise.all(columns));
}

describe('labels that are probabilities', () => {
  const model = join(SOFT, 'training.onnx');
  const plain = { loss: 'ce', learningRate: 0.5, batchSize: 40, epochs: 6 } as const;

  async function soft(change: Partial<Record<string, Tensor>> = {}) {
    const { losses, ...tensors } = await tensorsOf(await openData(join(SOFT, 'training.npz')));
    const own = Object.entries({ ...tensors, ...change }).flatMap(([key, tensor]) =>
      tensor ? [[key, tensor] as const] : [],
    );
    return { data: fromTensors(Object.fromEntries(own)), wanted: Array.from(losses?.data ?? [], Number) };
  }

  it('take the steps of PyTorch', async () => {
    const { data, wanted } = await soft();
    const result = await run(model, {
      ...plain,
      data,
      validation: data,
      trustLabels: true,
      momentum: 0,
      weightDecay: 0,
    });
    expect(lossesOf(result)).toHaveLength(6);
    for (const [i, loss] of lossesOf(result).entries()) expect(loss).toBeCloseTo(wanted[i] ?? Number.NaN, 5);
    expect(result.notes.join('\n')).toMatch(/probabilities of the classes, in the order of the model’s scores/);
    expect(result.classCounts.reduce((sum, count) => sum + count)).toBe(40);
  });

  it('are mixed, too, and held out by their most probable class', async () => {
    const { data } = await soft();
    const how = { ...plain, data, epochs: 2, trustLabels: true };
    const [mixed, whole] = [await run(model, { ...how, augmentation: { mixup: 1 } }), await run(model, how)];
    expect(lossesOf(mixed)).not.toEqual(lossesOf(whole));
  });

  it('of another number of classes, of a row that does not sum to 1, and with a loss of one class are refused', async () => {
    const {
      data: { columns },
    } = await soft();
    const rows = await columns.get('labels')?.read(0, 40);
    if (!(rows?.data instanceof Float32Array)) throw new Error('labels');
    const two = Float32Array.from({ length: 80 }, (_, i) => (i % 2 === 0 ? 0.75 : 0.25));
    const narrow = await soft({ labels: { dtype: 'float32', dims: [40, 2], data: two } });
    await expect(run(model, { ...plain, data: narrow.data })).rejects.toThrow(
      /each of the model’s 3 classes.*float32\[40, 2\]/s,
    );
    const broken = await soft({
      labels: { ...rows, data: rows.data.map((value, i) => (i === 100 ? value / 2 : value)) },
    });
    await expect(run(model, { ...plain, data: broken.data })).rejects.toThrow(
      /soft labels, float32\[40, 3\].*Rows that sum to 1/s,
    );
    const { data } = await soft();
    await expect(run(model, { ...plain, data, loss: 'focal' })).rejects.toThrow(
      /loss focal.*expected a loss of soft labels.*one class per sample/s,
    );
  });
});

describe('labels that are one-hot', () => {
  it('train the same bytes as the indices of their classes, with any loss', async () => {
    using data = await openData(join(DIGITS, 'train.npz'));
    const { labels, ...inputs } = await tensorsOf(data);
    const classes = Array.from(labels?.data ?? [], Number);
    const rows = new Float32Array(10 * classes.length);
    for (const [i, k] of classes.entries()) rows[10 * i + k] = 1;
    const hot = fromTensors({ ...inputs, labels: { dtype: 'float32', dims: [classes.length, 10], data: rows } });
    const [one, other] = [temporaryFolder(), temporaryFolder()];
    await digits({ loss: 'ib', validation: 0.3 }, one);
    const { notes } = await digits({ loss: 'ib', validation: 0.3, data: hot }, other);
    expect(bytes(other).equals(bytes(one))).toBe(true);
    expect(notes.join('\n')).toMatch(/labels are rows with one 1 each \(one-hot\)/);
  });
});

describe('mixed samples', () => {
  it.each([{ mixup: 0.4 }, { cutmix: 1 }, { mixup: 1, cutmix: 1 }])(
    '%o: are resumed with the same bytes',
    async (augmentation) => {
      const [whole, parts] = [temporaryFolder(), temporaryFolder()];
      const how = { loss: 'ce', augmentation } as const;
      await digits(how, whole);
      const stop = new AbortController();
      let reports = 0;
      const onProgress = () => ++reports === 3 && stop.abort();
      expect((await digits({ ...how, onProgress, signal: stop.signal }, parts)).interrupted).toBe(true);
      await digits({ ...how, mode: 'resume' }, parts);
      expect(bytes(parts).equals(bytes(whole))).toBe(true);
      await expect(digits({ ...how, augmentation: { mixup: 0.7 }, mode: 'resume' }, parts)).rejects.toThrow(
        /augmentation/,
      );
    },
  );

  it('raise the loss of training, and are the same at any number of steps in a run', async () => {
    const how = { loss: 'ce', augmentation: { mixup: 1 } } as const;
    const [plain, one, four] = await Promise.all([
      digits({ loss: 'ce' }),
      digits({ ...how, stepsPerRun: 1 }),
      digits({ ...how, stepsPerRun: 4 }),
    ]);
    for (const [i, loss] of lossesOf(one).entries()) {
      expect(lossesOf(four)[i]).toBeCloseTo(loss, 5);
      expect(loss).toBeGreaterThan(3 * (lossesOf(plain)[i] ?? 0));
    }
    expect(one.notes.join('\n')).toMatch(/mixes every sample with the one before it in the batch by mixup \(α 1\)/);
  });

  it('turn the cache of frozen layers off, and say so', async () => {
    const { notes, features } = await digits({ trainable: 'head', augmentation: { mixup: 0.2 } });
    expect(features?.cached).toBe(false);
    expect(notes.join('\n')).toMatch(/run in every epoch: samples are mixed with others in every epoch/);
    await expect(digits({ trainable: 'head', augmentation: { mixup: 0.2 }, cacheFeatures: 'on' })).rejects.toThrow(
      /samples are mixed/,
    );
  });

  it('are of numbers, boxes of images, and with a loss that reads their labels', async () => {
    const how = { epochs: 1, loss: 'ce' } as const;
    await expect(digits({ ...how, loss: 'ldam', augmentation: { mixup: 1 } })).rejects.toThrow(
      /loss ldam.*soft labels/s,
    );
    await expect(digits({ ...how, compare: ['focal'], augmentation: { mixup: 1 } })).rejects.toThrow(/loss focal/);
    const { losses: _, ...tensors } = await tensorsOf(await openData(join(SOFT, 'training.npz')));
    const data = fromTensors(tensors);
    await expect(
      run(join(SOFT, 'training.onnx'), { ...how, data, trustLabels: true, augmentation: { cutmix: 1 } }),
    ).rejects.toThrow(/option cutmix.*one input, of images.*x \[N, 5\]/s);
    using texts = await openData(join(ROOT, 'fixtures/sentences/train.csv'), {
      tokenizer: join(ROOT, 'fixtures/sentences'),
    });
    await expect(
      run(join(ROOT, 'fixtures/sentences/model.onnx'), { ...how, data: texts, augmentation: { mixup: 1 } }),
    ).rejects.toThrow(/input_ids.*cannot be mixed/s);
  });

  it('of several labels have these in shares', async () => {
    using data = await openData(join(ROOT, 'fixtures/multiLabel/train.npz'));
    const model = join(ROOT, 'fixtures/multiLabel/cnn.onnx');
    const how = { data, epochs: 1, loss: 'bce', task: 'multi-label' } as const;
    const [plain, mixed] = [await run(model, how), await run(model, { ...how, augmentation: { mixup: 1 } })];
    expect(lossesOf(mixed)[0]).not.toBe(lossesOf(plain)[0]);
    await expect(run(model, { ...how, loss: 'asymmetric', augmentation: { mixup: 1 } })).rejects.toThrow(
      /loss asymmetric.*labels that a sample has or has not/s,
    );
  });
});
