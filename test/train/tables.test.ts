import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  type DataOptions,
  evaluate,
  open,
  openData,
  predict,
  run,
  type TrainOptions,
  train,
} from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const TABLES = join(ROOT, 'fixtures/data/tables');
const MODELS = join(ROOT, 'fixtures/data/categories');
const [PEOPLE, OTHERS, STRANGERS] = ['people', 'others', 'strangers'].map((name) => join(TABLES, `${name}.csv`)) as [
  string,
  string,
  string,
];
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
