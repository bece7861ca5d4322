import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  type DataOptions,
  evaluate,
  exportRun,
  type Model,
  open,
  openData,
  predict,
  run,
  selectRows,
  type TrainOptions,
  train,
} from '../../src/index.ts';
import { modelFile, opened } from '../../src/model.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { withScaledInputs } from '../../src/transform/scaledInputs.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const TABLES = join(ROOT, 'fixtures/data/tables');
const MODELS = join(ROOT, 'fixtures/data/categories');
const [PEOPLE, OTHERS, STRANGERS] = ['people', 'others', 'strangers'].map((name) => join(TABLES, `${name}.csv`)) as [
  string,
  string,
  string,
];
/** By fixtures/data/categories.py, with scikit-learn. */
const expected = JSON.parse(readFileSync(join(MODELS, 'expected.json'), 'utf8')) as {
  readonly rows: readonly number[];
  readonly mean: { readonly people: readonly (readonly number[])[] };
  readonly standardised: {
    readonly mean: readonly number[];
    readonly scale: readonly number[];
    readonly people: readonly (readonly number[])[];
  };
};
const HOW: DataOptions = { categorical: ['zip'], missing: 'median' };

async function trained(name: string, options: Partial<TrainOptions> = {}, how = HOW) {
  const folder = temporaryFolder();
  using model = await open(join(MODELS, `${name}.onnx`));
  using data = await openData(PEOPLE, how);
  using test = await openData(OTHERS, how);
  const result = await train(model, { data, test, folder: join(folder, 'run'), report: false, epochs: 3, ...options });
  const path = join(folder, 'tuned.onnx');
  await result.write(path, { anyway: true });
  const judged = result.decision?.taken?.share === 0.5 ? result.half : result.arms[0]?.test;
  return { result, path, judged };
}

describe.each(['one-hot', 'ordinal'])('a network that reads categories as %s', (name) => {
  it('train, evaluate, predict and run prepare the same rows alike', async () => {
    const { result, path, judged } = await trained(name, { loss: 'ce', baseline: false });
    expect(result.notes.join()).toMatch(/missing cells are filled in as training rows have it: age \(\d/);
    using tuned = await open(path);
    using data = await openData(OTHERS, { model: path });
    const { metrics, perSample } = await evaluate(tuned, data);
    expect(metrics.logLoss).toBe(judged?.logLoss);
    expect(metrics.confusion).toEqual(judged?.confusion);
    const predictions = await predict(tuned, data);
    const found: number[] = [];
    for await (const batch of predictions.batches()) for (const { probability } of batch) found.push(probability);
    expect(found).toEqual(Array.from(perSample.confidence));
    const augmented = await augment(tuned, { loss: 'ce' });
    const { loss } = await run(augmented, data);
    expect(loss).toBeCloseTo(metrics.logLoss ?? 0, 5);
  });

  it('refuses a category that training had not, and ignores it where asked', async () => {
    const { path } = await trained(name, { loss: 'ce' });
    using tuned = await open(path);
    using strangers = await openData(STRANGERS, { model: path });
    await expect(evaluate(tuned, strangers)).rejects.toMatchObject({ code: 'unknown-category' });
    using ignored = await openData(STRANGERS, { model: path, unknownCategory: 'ignore' });
    expect((await evaluate(tuned, ignored)).samples).toBe(90);
    const categories = name === 'ordinal' ? 'one-hot' : 'ordinal';
    using other = await openData(OTHERS, { model: path, categories });
    await expect(evaluate(tuned, other)).rejects.toMatchObject({ code: 'option-conflict' });
  });
});

it('a network in a pipeline of scikit-learn is trained on the table as it is, texts and all', async () => {
  const file = join(MODELS, 'network.onnx');
  using model = await open(file);
  using data = await openData(join(TABLES, 'whole.csv'), { model: file });
  const folder = temporaryFolder();
  const how = { folder: join(folder, 'run'), report: false as const, loss: 'ce' as const, epochs: 6, validation: data };
  const result = await train(model, { data, ...how });
  const path = join(folder, 'tuned.onnx');
  await result.write(path, { anyway: true });
  using tuned = await open(path);
  const [before, after] = [await evaluate(model, data), await evaluate(tuned, data)];
  expect(result.before.validation?.logLoss).toBeCloseTo(before.metrics.logLoss ?? 0, 9);
  expect(after.metrics.logLoss).toBeLessThan(before.metrics.logLoss ?? 0);
});

describe('columns that are standardized by the written model', () => {
  const STANDARDIZED = { loss: 'ce', standardize: true, epochs: 12, learningRate: 0.1 } as const;

  it('get the numbers of scikit-learn', async () => {
    using model = await open(join(MODELS, 'one-hot.onnx'));
    const how: DataOptions = { ...HOW, missing: 'mean' };
    using people = await openData(PEOPLE, how);
    using data = selectRows(people, Uint32Array.from(expected.rows));
    const folder = join(temporaryFolder(), 'run');
    const result = await train(model, { data, validation: data, folder, report: false, ...STANDARDIZED });
    const { scales } = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8')).settings;
    for (const [k, mean] of expected.standardised.mean.entries()) {
      expect(scales.x.mean[k] / mean).toBeCloseTo(1, 12);
      expect(scales.x.deviation[k] / (expected.standardised.scale[k] ?? 0)).toBeCloseTo(1, 12);
    }
    expect(scales.x.deviation.slice(3)).toEqual(Array(10).fill(1));
    const scaled = await withScaledInputs(opened(model), new Map(Object.entries(scales)));
    const x = (rows: readonly (readonly number[])[]): Tensor => ({
      dtype: 'float32',
      dims: [rows.length, 13],
      data: Float32Array.from(rows.flat()),
    });
    const [found, wanted] = await Promise.all([
      logitsOf(scaled, x(expected.mean.people)),
      logitsOf(model, x(expected.standardised.people)),
    ]);
    expect(found).toEqual(wanted);
    expect(result.notes.join()).toMatch(/Columns of x are standardized with mean and deviation of 220 training rows/);
  });

  it('train, evaluate and export agree; a model that takes columns as they are is not standardized', async () => {
    const { path, judged, result } = await trained('one-hot', STANDARDIZED);
    using tuned = await open(path);
    using data = await openData(OTHERS, { model: path });
    const { metrics } = await evaluate(tuned, data);
    expect(metrics.logLoss).toBe(judged?.logLoss);
    expect(metrics.accuracy).toBeGreaterThan(0.6);
    const exported = join(temporaryFolder(), 'exported.onnx');
    await exportRun(result.folder, exported, { arm: 'ce' });
    using other = await open(exported);
    expect((await evaluate(other, data)).metrics.macroF1).toBeGreaterThan(0.4);
    using people = await openData(PEOPLE, { model: path });
    const again = { data: people, folder: join(temporaryFolder(), 'run'), report: false as const, ...STANDARDIZED };
    await expect(train(tuned, again)).rejects.toMatchObject({ code: 'standardize' });
  });

  it('are no images', async () => {
    using model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
    using data = await openData(join(ROOT, 'fixtures/digits/train.npz'));
    const folder = join(temporaryFolder(), 'run');
    await expect(train(model, { data, folder, report: false, standardize: true })).rejects.toMatchObject({
      code: 'standardize',
    });
  });
});

async function logitsOf(model: Model, x: Tensor): Promise<readonly number[]> {
  const { file, session } = modelFile(opened(model));
  const running = await openSession(file, session);
  const { logits } = await running.run({ x });
  await running.close();
  return Array.from(logits?.data ?? [], Number);
}
