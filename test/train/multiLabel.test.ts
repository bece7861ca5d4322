import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  evaluate,
  fromTensors,
  inspect,
  LossgraftError,
  open,
  openData,
  predict,
  rehead,
  run,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

/** See fixtures/multiLabel/generate.py. */
const FOLDER = join(ROOT, 'fixtures/multiLabel');
const path = (name: string): string => join(FOLDER, name);

type Given = Omit<TrainOptions, 'data' | 'folder'> & { readonly data?: TrainOptions['data'] };

async function trained(
  name: string,
  data: TrainOptions['data'],
  given: Given = {},
): Promise<{ result: TrainResult; tuned: string; notes: string[] }> {
  using model = await open(path(name));
  const notes: string[] = [];
  const options = { trainable: 'all', report: false, seed: 1, onNote: (text: string) => notes.push(text), ...given };
  const result = await train(model, { ...options, data, folder: join(temporaryFolder(), 'run') } as TrainOptions);
  const tuned = join(temporaryFolder(), 'tuned.onnx');
  await result.write(tuned, { anyway: true });
  return { result, tuned, notes };
}

async function refusal(work: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work();
  } catch (error) {
    if (error instanceof LossgraftError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

const FAST = { epochs: 8, learningRate: 3e-3 } as const;

describe('a network of 14 labels', () => {
  it.each(['cnn.onnx', 'cnn-sigmoid.onnx'])(
    '%s: trained by the labels, written back, better on held-out data',
    async (name) => {
      using data = await openData(path('train.npz'));
      using test = await openData(path('test.npz'));
      const { result, tuned, notes } = await trained(name, data, FAST);
      expect(notes.join('\n')).toMatch(/Labels are rows of 0 and 1.*multi-label/);
      expect(notes.join('\n')).toMatch(/Method half: distribution-balanced loss/);
      expect(result.decision?.taken).toMatchObject({ arm: 'distribution-balanced' });
      expect(result.classCounts).toHaveLength(14);
      expect(result.arms[0]?.judged?.confusion).toBeNull();
      using model = await open(tuned);
      using given = await open(path(name));
      const found = await evaluate(model, test, { against: given });
      for (const metric of ['macroF1', 'prAuc', 'microF1', 'samplesF1', 'balancedAccuracy'] as const)
        expect(found.metrics.change?.metrics[metric]?.low, metric).toBeGreaterThan(0);
      expect(found.metrics.change?.metrics.hammingLoss?.high).toBeLessThan(0);
      // Only the weights and the manifest are other ones.
      expect(readFileSync(tuned).length - readFileSync(path(name)).length).toBeLessThan(700);
    },
  );

  it('tuned thresholds are recorded in the file, and evaluate and predict take them', async () => {
    using data = await openData(path('train.npz'));
    using test = await openData(path('test.npz'));
    const { result, tuned } = await trained('cnn-sigmoid.onnx', data, {
      ...FAST,
      loss: 'bce',
      optimizer: 'adamw',
      threshold: 'tune',
    });
    using model = await open(tuned);
    const thresholds = result.decision?.thresholds ?? [];
    expect(thresholds).toHaveLength(14);
    expect(new Set(thresholds).size).toBeGreaterThan(5);
    const found = await evaluate(model, test);
    expect(found.metrics.thresholds).toEqual(thresholds);
    expect(found.notes.join()).toMatch(/The file records from which probability on each label is predicted/);
    const half = await evaluate(model, test, { threshold: 0.5 });
    expect(found.metrics.macroF1 ?? 0).toBeGreaterThan(half.metrics.macroF1 ?? 1);
    const predictions = await predict(model, test, { probabilities: true });
    for await (const batch of predictions.batches()) {
      for (const { labels = [], probabilities } of batch) {
        const own = [...(probabilities ?? [])].flatMap((p, k) => (p >= (thresholds[k] ?? 1) ? [k] : []));
        expect(labels.map(({ index }) => index)).toEqual(own);
      }
    }
  });

  it('goes on where it was stopped, to the same bytes', async () => {
    using data = await openData(path('train.npz'));
    using model = await open(path('cnn.onnx'));
    const options = { data, trainable: 'all', report: false, loss: 'zlpr', epochs: 3, seed: 4 } as const;
    const whole = await train(model, { ...options, folder: join(temporaryFolder(), 'run') });
    const folder = join(temporaryFolder(), 'run');
    const stop = new AbortController();
    const onEpoch = (): void => stop.abort();
    const first = await train(model, { ...options, folder, signal: stop.signal, onEpoch });
    expect(first.interrupted).toBe(true);
    const second = await train(model, { ...options, folder, mode: 'resume' });
    const [a, b] = [join(temporaryFolder(), 'a.onnx'), join(temporaryFolder(), 'b.onnx')];
    await whole.write(a, { anyway: true });
    await second.write(b, { anyway: true });
    expect(readFileSync(b).equals(readFileSync(a))).toBe(true);
  });
});

it('a BERT whose config.json says so: texts with topics in one cell', async () => {
  const texts = {
    tokenizer: path('bert/tokenizer.json'),
    textColumn: 'text',
    labelColumn: 'topics',
    labelSeparator: '|',
    maxLength: 16,
  };
  using data = await openData(path('sentences.csv'), texts);
  using test = await openData(path('sentences-test.csv'), texts);
  const { result, tuned } = await trained('bert/model.onnx', data, {
    loss: 'distribution-balanced',
    optimizer: 'adamw',
    learningRate: 2e-3,
    epochs: 25,
    schedule: 'cosine',
  });
  expect(result.classNames).toEqual(['animals', 'food', 'sport', 'weather']);
  expect(result.decision?.taken).not.toBeNull();
  using model = await open(tuned);
  using given = await open(path('bert/model.onnx'));
  const { metrics } = await evaluate(model, test, { against: given });
  expect(metrics.change?.metrics.macroF1?.low).toBeGreaterThan(0.2);
  // The file says what it is from now on, wherever it lies.
  expect(
    (
      await refusal(() =>
        evaluate(model, fromTensors({ labels: { dtype: 'int64', dims: [1], data: new BigInt64Array(1) } })),
      )
    ).code,
  ).toBe('task-mismatch');
});

describe('a table', () => {
  it('names and columns are the same labels', async () => {
    using columns = await openData(path('columns.csv'), { labelColumns: ['blue', 'green', 'red'] });
    using names = await openData(path('names.csv'), { labelColumn: 'colours', labelSeparator: ';' });
    using model = await open(path('table.onnx'));
    const [a, b] = [await evaluate(model, columns), await evaluate(model, names)];
    expect(b.metrics).toEqual(a.metrics);
    expect(b.perSample).toEqual(a.perSample);
  });

  it.each(['bce', 'asymmetric', 'ib', 'sigmoid-focal'] as const)('%s', async (loss) => {
    using data = await openData(path('columns.csv'), { labelColumns: ['blue', 'green', 'red'] });
    const { result } = await trained('table.onnx', data, { loss, epochs: 2 });
    const [, first, last] = result.history;
    expect(last?.trainLoss).toBeLessThan(first?.trainLoss ?? 0);
  });

  it('run gives the losses, and means by label', async () => {
    using data = await openData(path('columns.csv'), { labelColumns: ['blue', 'green', 'red'] });
    using model = await open(path('table.onnx'));
    const result = await run(await augment(model, { loss: 'ib' }), data);
    expect(result.classes.map(({ name, samples }) => [name, samples])).toEqual([
      ['blue', 90],
      ['green', 49],
      ['red', 32],
    ]);
    expect(result.labelSets).toHaveLength(240);
    expect(Object.keys(result.perSample)).toEqual(['loss_per_sample', 'ib_factor']);
  });
});

describe('labels that fit no head, and options that have no meaning, one message each', () => {
  const indices = fromTensors({
    x: { dtype: 'float32', dims: [6, 6], data: new Float32Array(36) },
    labels: { dtype: 'int64', dims: [6], data: BigInt64Array.of(0n, 1n, 2n, 0n, 1n, 2n) },
  });
  const counted = fromTensors({
    x: { dtype: 'float32', dims: [2, 6], data: new Float32Array(12) },
    labels: { dtype: 'float32', dims: [2, 3], data: Float32Array.of(0, 1, 0, 0, 2, 1) },
  });
  const hot = (): Promise<TrainOptions['data']> =>
    openData(path('columns.csv'), { labelColumns: ['blue', 'green', 'red'] });

  it.each<[string, Given, string, RegExp]>([
    [
      'one label per sample',
      { data: indices },
      'task-mismatch',
      /a row of 0 and 1 per sample.*labelColumns.*`task: "exclusive"`/,
    ],
    ['rows of other numbers', { data: counted }, 'labels-dtype', /row 1, label 1.*expected 0 or 1, found 2/],
    ['a loss for exclusive classes', { loss: 'ldam' }, 'task-mismatch', /loss ldam/],
    ['a long tail', { imbalance: 10 }, 'option-range', /exclusive classes/],
    [
      'a metric of exclusive classes',
      { loss: 'bce', selectBy: 'mcc' },
      'option-range',
      /micro-f1, samples-f1, hamming/,
    ],
    ['a threshold of 1', { threshold: 1 }, 'threshold', /between 0 and 1.*found 1/],
    ['too few thresholds', { threshold: [0.5, 0.5] }, 'threshold', /3 thresholds/],
    ['a threshold beyond 1', { threshold: [0.5, 0.5, 1.5] }, 'threshold', /between 0 and 1.*1\.5/],
    ['a threshold of no label', { threshold: { pink: 0.4 } }, 'threshold', /blue, green, red.*"pink"/],
  ])('%s', async (_, given, code, message) => {
    const found = await refusal(async () => trained('table.onnx', given.data ?? (await hot()), given));
    expect(found.message).toMatch(message);
    expect(found.code).toBe(code);
  });

  it('one label per sample, where that is meant', async () => {
    const { result } = await trained('table.onnx', indices, {
      task: 'exclusive',
      loss: 'ce',
      epochs: 1,
      trustLabels: true,
      validation: 0.4,
    });
    expect(result.arms[0]?.name).toBe('ce');
  });

  it('a method for exclusive classes', async () => {
    using model = await open(path('table.onnx'));
    const data = await hot();
    const found = await refusal(() => train(model, { data, method: 'lws', folder: join(temporaryFolder(), 'run') }));
    expect(found.message).toMatch(/half, full, sampled, weighted, plain, crt, auto/);
    expect(found.code).toBe('option-range');
  });

  it('several labels for a softmax', async () => {
    using model = await open(join(ROOT, 'fixtures/heads/softmax.onnx'));
    const data = await hot();
    const found = await refusal(() => train(model, { data, folder: join(temporaryFolder(), 'run') }));
    expect(found).toMatchObject({ code: 'task-mismatch', message: expect.stringMatching(/A softmax shares 1/) });
  });
});

it('labels are drawn by class-aware sampling; pos_weight follows the drawn labels, and the run is said', async () => {
  using data = await openData(path('train.npz'));
  const how = { epochs: 1, loss: 'bce', validation: 0.25 } as const;
  const [drawn, weighted, plain] = [
    await trained('cnn.onnx', data, { ...how, sampler: 'balanced' }),
    await trained('cnn.onnx', data, { ...how, sampler: 'balanced', classWeights: 'positive' }),
    await trained('cnn.onnx', data, how),
  ];
  const lossOf = ({ result }: typeof plain) => result.history.at(-1)?.trainLoss;
  expect(new Set([drawn, weighted, plain].map(lossOf)).size).toBe(3);
  expect(drawn.notes.join('\n')).toMatch(/Sampler balanced: an epoch draws each of the \d+ samples of class /);
  const { result } = await trained('cnn.onnx', data, { epochs: 1, method: 'crt', trainable: 'head' });
  expect(result.arms[0]?.name).toBe('bce+sampled');
});

it('features of frozen layers are kept with all labels of a sample', async () => {
  using data = await openData(path('train.npz'));
  const how = { epochs: 2, loss: 'bce', trainable: 'head' } as const;
  const [kept, plain] = [
    await trained('cnn.onnx', data, { ...how, cacheFeatures: 'on' }),
    await trained('cnn.onnx', data, { ...how, cacheFeatures: 'off' }),
  ];
  expect(kept.result.features?.cached).toBe(true);
  for (const [i, { trainLoss, macroF1 }] of plain.result.history.entries()) {
    if (trainLoss !== null) expect(kept.result.history[i]?.trainLoss).toBeCloseTo(trainLoss, 6);
    expect(kept.result.history[i]?.macroF1).toBe(macroF1);
  }
});

it('a new head takes the labels of the data, from their means, and trains', async () => {
  using data = await openData(path('columns.csv'), { labelColumns: ['blue', 'red'], drop: ['green'] });
  const { result, notes, tuned } = await trained('table.onnx', data, { head: 'new', loss: 'bce', epochs: 10 });
  expect(notes.join('\n')).toMatch(/The last layer gets 2 classes: 0 blue, 1 red; 2 are new, from class means/);
  const [first] = result.history;
  expect(first?.balancedAccuracy).toBeGreaterThan(0.6);
  expect(result.arms[0]?.last.validationLoss).toBeLessThan(first?.validationLoss ?? 0);
  using model = await open(tuned);
  const { metrics, classNames } = await evaluate(model, data);
  expect(classNames).toEqual(['blue', 'red']);
  expect(metrics.macroF1).toBeGreaterThan(0.6);
  const zeros = await trained('table.onnx', data, { head: 'new', headInit: 'zeros', loss: 'bce', epochs: 1 });
  expect(zeros.result.history[0]?.validationLoss).toBeCloseTo(Math.log(2), 6);
});

/** The images of a file with the first label behind all others. */
async function firstLast(name: string, count: number) {
  using data = await openData(path(name));
  const [images, labels] = await Promise.all(['images', 'labels'].map((key) => data.columns.get(key)?.read(0, count)));
  if (images === undefined || labels === undefined) throw new Error(name);
  const hot = Array.from(labels.data, Number);
  const rows = Array.from({ length: count }, (_, n) => hot.slice(n * 14, (n + 1) * 14));
  const turned = Float32Array.from(rows.flatMap(([first = 0, ...others]) => [...others, first]));
  return fromTensors({ images, labels: { dtype: 'float32', dims: [count, 14], data: turned } });
}

it('a label is added beside those that stay, and begins with the means of its samples', async () => {
  using model = await open(path('cnn.onnx'));
  const keepClasses = Array.from({ length: 13 }, (_, k) => String(k + 1));
  const how = { keepClasses, addClasses: ['first'] };
  const { report, model: other } = await rehead(model, await firstLast('train.npz', 500), how);
  expect(report).toMatchObject({ sources: [...keepClasses.map(Number), null], init: 'means' });
  using test = await openData(path('test.npz'));
  const [before, after] = [
    (await evaluate(model, test)).metrics,
    (await evaluate(other, await firstLast('test.npz', 400), { task: 'multi-label' })).metrics,
  ];
  expect(after.recall.slice(0, 13)).toEqual(before.recall.slice(1));
  expect(after.classes?.rocAuc[13]).toBeGreaterThan(0.9);
  expect(after.recall[13]).toBeGreaterThan(0.7);
});

it('inspect reads config.json', async () => {
  using model = await open(path('bert/model.onnx'));
  const { head } = await inspect(model);
  expect(head).toMatchObject({
    kind: 'sigmoid-multi-label',
    why: expect.stringMatching(/problem_type of .*config.json/),
  });
});
