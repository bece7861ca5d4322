import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type AugmentOptions,
  augment,
  type Dataset,
  evaluate,
  fromTensors,
  inspect,
  open,
  openData,
  run,
  type TrainOptions,
  type TrainResult,
  train,
  trainGraph,
} from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { augmentFile, changedOutputs, inputsOf, runBytes, type Tensors } from '../support/grafted.ts';
import { arraysOf } from '../support/networks.ts';
import { worstRelative } from '../support/runLoss.ts';
import { refusalOf } from './hosts.ts';

/** See fixtures/binary/generate.py. */
const FOLDER = join(ROOT, 'fixtures/binary');
const path = (name: string): string => join(FOLDER, name);
const NETWORKS = readdirSync(FOLDER).filter((name) => /^(logit|sigmoid|keras).*\.onnx$/.test(name));

const CASES: Readonly<Record<string, AugmentOptions>> = {
  ce: { loss: 'ce' },
  weighted: { loss: 'ce', classWeights: [0.5, 1.5] },
  positive: { loss: 'ce', classWeights: 'positive', posWeight: 3 },
  ib: { loss: 'ib' },
};

async function judged(): Promise<(name: string) => number[]> {
  const arrays = await arraysOf(path('judged.npz'));
  return (name) => numbersOf(arrays[name]);
}

function numbersOf(tensor: Tensor | undefined): number[] {
  if (!tensor) throw new Error('no tensor');
  return toNumbers(tensor);
}

async function feedsOf(model: string, file: string, key: string): Promise<{ x: Tensors; labels: Tensor }> {
  const arrays = await arraysOf(path(file));
  const [input] = await inputsOf(path(model));
  const [x, labels] = [arrays[key], arrays.labels];
  if (!input || !x || !labels) throw new Error(`no data in ${file}`);
  return { x: { [input.name]: x }, labels };
}

/** The largest difference, as a share of the largest expected number. */
function apart(actual: Tensor | undefined, expected: readonly number[]): number {
  const numbers = numbersOf(actual);
  expect(numbers).toHaveLength(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...numbers.map((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)))) / largest;
}

/** The gradients of the last layer's weight, [1, 8] or [8, 1], and bias, [1]. */
function headGradients(outputs: Tensors): { weight: Tensor | undefined; bias: Tensor | undefined } {
  const gradients = Object.entries(outputs).flatMap(([name, tensor]) => (name.endsWith('.grad') ? [tensor] : []));
  const weight = gradients.find(({ dims }) => dims.length === 2 && dims.includes(1));
  return { weight, bias: gradients.find(({ dims }) => dims.length === 1 && dims[0] === 1) };
}

describe("losses, factors and gradients of one logit per sample are PyTorch's", () => {
  it.each(NETWORKS)('%s', async (name) => {
    const expected = await judged();
    const { x, labels } = await feedsOf(name, 'judged.npz', 'x');
    const before = await runBytes(path(name), x);
    for (const [key, options] of Object.entries(CASES)) {
      const plain = await augmentFile(path(name), options);
      const after = await runBytes(plain.bytes, { ...x, labels });
      expect(changedOutputs(before, after), key).toEqual([]);
      const losses = numbersOf(after.loss_per_sample);
      expect(worstRelative(losses, expected(`${key}_loss`)), key).toBeLessThan(2e-5);
      if (key === 'ib') expect(worstRelative(numbersOf(after.ib_factor), expected('ib_factor'))).toBeLessThan(2e-5);
      const { bytes } = await augmentFile(path(name), { ...options, grad: ['parameters'] });
      const { weight, bias } = headGradients(await runBytes(bytes, { ...x, labels }));
      expect(apart(weight, expected(`${key}_weight`)), key).toBeLessThan(1e-5);
      expect(apart(bias, expected(`${key}_bias`)), key).toBeLessThan(1e-5);
    }
  });

  it('both batches, three shapes, both exporters, logits and probabilities, and Keras', () => {
    expect(NETWORKS).toHaveLength(25);
  });

  it('the gradient of the influence-balanced loss is the slope of the loss', async () => {
    const { x, labels } = await feedsOf('keras.onnx', 'judged.npz', 'x');
    const model = await open(path('keras.onnx'));
    const options = { loss: 'ib', alpha: 1, epsilon: 0.1 } as const;
    const graph = await trainGraph(model, { ...options, trainable: 'all' });
    const { bytes } = await augmentFile(path('keras.onnx'), { ...options, grad: ['parameters'] });
    const gradients = await runBytes(bytes, { ...x, labels });
    const state = Object.fromEntries(graph.initialState());
    const stepFile = graph.bytes().get('step.onnx') ?? '';
    model.close();
    const rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(0) };
    const lossAt = async (step: number): Promise<number> => {
      const moved = Object.entries(state).map(([name, tensor]) => {
        const gradient = gradients[`${name}.grad`];
        const numbers = numbersOf(tensor).map((value, i) => value + step * Number(gradient?.data[i] ?? 0));
        return [name, { ...tensor, data: Float32Array.from(numbers) }] as const;
      });
      const feeds = { ...x, labels, learning_rate: rate, ...Object.fromEntries(moved) };
      return numbersOf((await runBytes(stepFile, feeds)).loss)[0] ?? Number.NaN;
    };
    const squares = Object.entries(gradients).flatMap(([name, tensor]) =>
      name.endsWith('.grad') ? numbersOf(tensor) : [],
    );
    const slope = squares.reduce((sum, value) => sum + value * value, 0);
    const step = 1e-3 / Math.sqrt(slope);
    const measured = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
    expect(Math.abs(measured / slope - 1)).toBeLessThan(0.01);
  });
});

describe("scikit-learn's networks of two classes", () => {
  it.each(['sklearn', 'sklearn-zipmap'])('%s: classes, names and losses', async (name) => {
    const file = path(`${name}.onnx`);
    const model = await open(file);
    const found = await inspect(model);
    model.close();
    expect(found).toMatchObject({ classes: 2, head: { kind: 'sigmoid-binary', isStated: true } });
    expect(found.classNames?.names).toEqual(['no', 'yes']);
    const { x, labels } = await feedsOf(`${name}.onnx`, 'sklearn.npz', 'X');
    const { bytes, report } = await augmentFile(file, { loss: 'ib' });
    expect(report.classNames).toEqual(['no', 'yes']);
    const session = await openSession(bytes);
    const after = await session.run({ ...x, labels }, ['loss_per_sample', 'ib_factor']);
    await session.close();
    const probabilities = numbersOf((await arraysOf(path('sklearn.npz'))).probabilities);
    const factors = numbersOf(after.ib_factor);
    const losses = numbersOf(after.loss_per_sample).map((loss, i) => loss / (factors[i] ?? Number.NaN));
    const expected = numbersOf(labels).map((label, i) => -Math.log(probabilities[2 * i + label] ?? Number.NaN));
    expect(worstRelative(losses, expected)).toBeLessThan(1e-4);
  });
});

describe('what is not one logit per sample is refused', () => {
  it('a HardSigmoid', async () => {
    const { code, message } = await refusalOf(path('hard-sigmoid.onnx'), { loss: 'ce' });
    expect(code).toBe('no-logits');
    expect(message).toMatch(/comes from a HardSigmoid/);
  });

  it('a probability that is named for logits; the tensor that the hint names is taken', async () => {
    const { code, message } = await refusalOf(path('keras.onnx'), { loss: 'ce', logits: 'dense_1' });
    expect(code).toBe('not-logits');
    const logits = /`logits: "([^"]+)"`/.exec(message)?.[1] ?? '';
    const { report } = await augmentFile(path('keras.onnx'), { loss: 'ce', logits });
    expect(report).toMatchObject({ classes: 2, head: { kind: 'sigmoid-binary' }, notes: [] });
  });

  it('weights of three classes', async () => {
    const { code } = await refusalOf(path('keras.onnx'), { loss: 'ce', classWeights: [1, 2, 3] });
    expect(code).toBe('class-count-mismatch');
  });
});

const ADAMW = { loss: 'ce', classWeights: 'positive', optimizer: 'adamw', learningRate: 0.02, epochs: 40 } as const;

async function trained(
  name: string,
  options: Partial<TrainOptions> = {},
): Promise<{ result: TrainResult; tuned: string }> {
  const model = await open(path(name));
  const [data, test] = await Promise.all(['train.npz', 'test.npz'].map((file) => openData(path(file))));
  if (!data || !test) throw new Error('no data');
  const folder = temporaryFolder();
  try {
    const result = await train(model, {
      report: false,
      ...ADAMW,
      trainable: 'all',
      data,
      test,
      ...options,
      folder,
    });
    const tuned = join(folder, 'tuned.onnx');
    await result.write(tuned);
    return { result, tuned };
  } finally {
    for (const each of [data, test, model]) each.close();
  }
}

/** The training data, with what a model says of them for labels, or the opposite. */
async function said(model: string, opposite: boolean): Promise<Dataset> {
  const { x } = await arraysOf(path('train.npz'));
  if (!x) throw new Error('no data');
  const { y } = await runBytes(model, { x });
  const labels = BigInt64Array.from(numbersOf(y), (p) => BigInt(p > 0.5 !== opposite));
  return fromTensors({ x, labels: { dtype: 'int64', dims: [labels.length], data: labels } });
}

/** As `evaluate` judges the test data, by the model or by what `augment` makes of it. */
async function balancedAccuracy(tuned: string, isAugmented: boolean): Promise<number> {
  const folder = temporaryFolder();
  const file = isAugmented ? join(folder, 'augmented.onnx') : tuned;
  if (isAugmented) {
    const model = await open(tuned);
    await (await augment(model, { loss: 'ib' })).write(file);
    model.close();
  }
  const [model, data] = [await open(file), await openData(path('test.npz'))];
  const { metrics } = await evaluate(model, data);
  for (const each of [model, data]) each.close();
  return metrics.balancedAccuracy;
}

describe('training', () => {
  it.each([
    'sigmoid-n1-dynamo-free.onnx',
    'sigmoid-n-legacy-free.onnx',
    'logit-n111-legacy-free.onnx',
    'sigmoid-n1-legacy-fixed.onnx',
  ])('%s is better on data it has not seen, and only trained bytes differ', async (name) => {
    const { result, tuned } = await trained(name);
    const before = result.before.test?.balancedAccuracy ?? Number.NaN;
    const after = result.arms[0]?.test?.balancedAccuracy ?? Number.NaN;
    expect(before).toBeLessThan(0.6);
    expect(after).toBeGreaterThan(before + 0.2);
    expect(result.classCounts).toEqual([1152, 48]);
    expect(result.influence).toHaveProperty('top');
    const [own, other] = [readFileSync(path(name)), readFileSync(tuned)];
    expect(other.length).toBe(own.length);
    const differing = own.reduce((count, byte, i) => count + Number(byte !== other[i]), 0);
    expect(differing).toBeGreaterThan(0);
    expect(differing).toBeLessThanOrEqual(4 * (6 * 8 + 8 + 8 + 1));
    expect(await balancedAccuracy(tuned, false)).toBe(after);
    expect(await balancedAccuracy(tuned, true)).toBe(after);
  });

  it('labels the other way round are told by what the model says', async () => {
    const { tuned } = await trained('sigmoid-n1-legacy-free.onnx');
    const [same, opposite] = [await said(tuned, false), await said(tuned, true)];
    const model = await open(tuned);
    const refused = train(model, { report: false, epochs: 1, data: opposite, folder: temporaryFolder() });
    await expect(refused).rejects.toMatchObject({ code: 'class-order' });
    for (const loss of ['ce', 'ib'] as const) {
      const augmented = await augment(model, { loss });
      expect((await run(augmented, opposite)).notes.join()).toMatch(/THE LABELS SEEM WRONG/);
      expect((await run(augmented, same)).notes).toEqual([]);
    }
    model.close();
  });

  it('labels of three classes', async () => {
    const { x, labels } = await arraysOf(path('train.npz'));
    if (!x || !labels) throw new Error('no data');
    const data = fromTensors({
      x,
      labels: { ...labels, data: BigInt64Array.from(numbersOf(labels), (_, i) => BigInt(i % 3)) },
    });
    await expect(trained('keras.onnx', { data })).rejects.toMatchObject({ code: 'missing-data' });
    await expect(trained('sigmoid-n1-legacy-free.onnx', { data })).rejects.toMatchObject({
      code: 'label-out-of-range',
    });
  });
});
