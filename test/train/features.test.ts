import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { epochOrder } from '../../src/data/sampler.ts';
import { inputPorts, openSamples } from '../../src/data/samples.ts';
import { stratifiedSplit } from '../../src/data/split.ts';
import {
  type Dataset,
  fromTensors,
  openData,
  type TrainOptions,
  type TrainResult,
  train,
  trainGraph,
} from '../../src/index.ts';
import { open } from '../../src/model.ts';
import { openSession } from '../../src/runtime/session.ts';
import { readSafetensors } from '../../src/safetensors/read.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { cacheFeatures } from '../../src/trainer/features.ts';
import { writeBranches } from '../support/branches.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const SMALL = { epochs: 2, batchSize: 16, learningRate: 0.05, loss: 'ib', report: false } as const;

interface Run {
  readonly result: TrainResult;
  readonly folder: string;
  readonly bytes: Buffer | undefined;
}

async function run(
  options: Partial<TrainOptions>,
  {
    path = join(DIGITS, 'model.onnx'),
    folder = temporaryFolder(),
    data,
  }: { path?: string; folder?: string; data?: Dataset } = {},
): Promise<Run> {
  const model = await open(path);
  const samples = data ?? (await openData(join(DIGITS, 'train.npz')));
  try {
    const result = await train(model, { ...SMALL, ...options, data: samples, folder });
    if (result.interrupted) return { result, folder, bytes: undefined };
    const out = join(folder, 'tuned.onnx');
    await result.write(out, { force: true, anyway: true });
    return { result, folder, bytes: readFileSync(out) };
  } finally {
    samples.close();
    model.close();
  }
}

/** Points in three classes, for the model of two branches. */
function points(): Dataset {
  const rows = 60;
  const data = Float32Array.from({ length: rows * 6 }, (_, i) => Math.sin(i * 0.37) + ((i / 6) % 3));
  const labels = BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 3));
  return fromTensors({
    x: { dtype: 'float32', dims: [rows, 6], data },
    labels: { dtype: 'int64', dims: [rows], data: labels },
  });
}

/** Something for each class, for a model of images. */
async function pictures(path: string): Promise<Dataset> {
  const model = await open(path);
  const [{ name, shape } = { name: '', shape: [] }] = inputPorts(model, 'labels');
  model.close();
  const [rows, dims] = [40, (shape ?? []).slice(1).map(Number)];
  const data = Float32Array.from(
    { length: rows * elementCount(dims) },
    (_, i) => Math.sin(i * 0.11) + Math.cos(i * 1.7),
  );
  return fromTensors({
    [name]: { dtype: 'float32', dims: [rows, ...dims], data },
    labels: { dtype: 'int64', dims: [rows], data: BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 4)) },
  });
}

/** The numbers of a run without its times. */
function numbers({ history, arms }: TrainResult): unknown {
  const plain = ({ seconds: _a, trainSeconds: _b, waitSeconds: _c, ...rest }: TrainResult['history'][number]) => rest;
  return { history: history.map(plain), alphas: arms.map(({ alpha }) => alpha) };
}

describe('what is frozen is computed once', () => {
  const cases: readonly (readonly [string, Partial<TrainOptions>, readonly string[]])[] = [
    ['the head', { trainable: 'head' }, ['/relu_2/Relu_output_0']],
    ['two layers', { trainable: 'fc*', optimizer: 'adamw', learningRate: 0.001 }, ['/Flatten_output_0']],
    ['phases and arms', { trainable: 'head', ibFrom: 1, alpha: 'auto', baseline: true }, ['/relu_2/Relu_output_0']],
  ];
  it.each(cases)('%s: the same bytes and figures as without the cache', async (_, options, tensors) => {
    const [kept, again] = [
      await run({ ...options, cacheFeatures: 'auto' }),
      await run({ ...options, cacheFeatures: 'off' }),
    ];
    expect(kept.result.features).toMatchObject({ cached: true, tensors });
    expect(again.result.features).toMatchObject({ cached: false, why: 'it was turned off' });
    expect(numbers(kept.result)).toEqual(numbers(again.result));
    expect(kept.bytes?.equals(again.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(kept.result.notes.join()).toMatch(/The frozen layers run once/);
  });

  it('two tensors, where the trained layers read two', async () => {
    const path = join(temporaryFolder(), 'branches.onnx');
    writeBranches(path);
    const options = { trainable: 'C,D', loss: 'ce' } as const;
    const [kept, again] = [
      await run({ ...options, cacheFeatures: 'on' }, { path, data: points() }),
      await run({ ...options, cacheFeatures: 'off' }, { path, data: points() }),
    ];
    expect(kept.result.features?.tensors).toHaveLength(2);
    expect(numbers(kept.result)).toEqual(numbers(again.result));
  });

  it('the parameters are those of the whole training graph, step by step', async () => {
    const options = { trainable: 'head', loss: 'ib', optimizer: 'sgd', momentum: 0.9 } as const;
    const { result, folder } = await run({
      ...options,
      epochs: 1,
      classWeights: 'none',
      select: 'last',
      validation: 0.2,
    });
    expect(result.features?.cached).toBe(true);
    const trained = readSafetensors(join(folder, stateFile(folder)));
    const expected = await stepByStep(options);
    for (const name of ['fc2.weight', 'fc2.bias']) {
      const [a, b] = [trained.get(name)?.data ?? [], expected[name]?.data ?? []];
      expect(a.length).toBe(b.length);
      for (let i = 0; i < a.length; i++) expect(Number(a[i])).toBeCloseTo(Number(b[i]), 6);
    }
  });

  it('a run that is interrupted and goes on ends with the same bytes', async () => {
    const options = { trainable: 'head', stepsPerRun: 2, epochs: 3 };
    const whole = await run(options);
    for (const reports of [1, 12, 20]) {
      const stop = new AbortController();
      let left = reports;
      const onProgress = (): void => {
        left -= 1;
        if (left === 0) stop.abort();
      };
      const cut = await run({ ...options, onProgress, signal: stop.signal });
      expect(cut.result.interrupted).toBe(true);
      const resumed = await run({ ...options, mode: 'resume' }, { folder: cut.folder });
      expect(resumed.bytes?.equals(whole.bytes ?? Buffer.alloc(0)), `after ${reports} runs`).toBe(true);
      expect(numbers(resumed.result)).toEqual(numbers(whole.result));
    }
  });
});

/** The state that a run of one arm ended with. */
function stateFile(folder: string): string {
  const files = readdirSync(folder).filter((file) => /^(best|state)-\d+\.safetensors$/.test(file));
  return files.at(-1) ?? '';
}

/** One epoch by the graph of a single step that holds the whole model, fed with the same rows. */
async function stepByStep(options: {
  readonly trainable: string;
  readonly loss: 'ib';
  readonly optimizer: 'sgd';
  readonly momentum: number;
}): Promise<Record<string, Tensor>> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  const graph = await trainGraph(model, { ...options, classWeights: 'none', form: 'step' });
  const session = await openSession(graph.bytes().get('step.onnx') ?? new Uint8Array());
  const ports = inputPorts(model, 'labels');
  const samples = await openSamples(data, ports, { name: 'labels', classes: 10 });
  const rows = epochOrder(stratifiedSplit(samples.labels, 0.2, 0).train, 0, 0);
  const learning_rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(SMALL.learningRate) };
  let state: Record<string, Tensor> = Object.fromEntries(graph.initialState());
  for (let start = 0; start < rows.length; start += SMALL.batchSize) {
    const feeds = await samples.read(rows.subarray(start, start + SMALL.batchSize));
    const results = await session.run({ ...state, ...feeds, learning_rate });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, results[`${name}.next`] as Tensor]));
  }
  await session.close();
  model.close();
  data.close();
  return state;
}

describe('where it cannot be kept, a reason says so', () => {
  const cases: readonly (readonly [string, Partial<TrainOptions>, RegExp])[] = [
    ['augmentation', { trainable: 'head', augmentation: { padding: 1 } }, /crops and flips change the samples/],
    ['all is trained', { trainable: 'all' }, /there is no layer before the trained ones/],
  ];
  it.each(cases)('%s', async (_, options, why) => {
    const { result } = await run({ ...options, epochs: 1 });
    expect(result.features).toMatchObject({ cached: false, why: expect.stringMatching(why) });
    await expect(run({ ...options, cacheFeatures: 'on' })).rejects.toThrow(why);
  });

  it('rows that depend on their batch', async () => {
    const path = join(temporaryFolder(), 'mixing.onnx');
    writeBranches(path, { mixing: true });
    const options = { trainable: 'C,D', loss: 'ce', epochs: 1 } as const;
    const { result } = await run(options, { path, data: points() });
    expect(result.features?.why).toMatch(/depend on the batch/);
  });

  it('augmented training data: what validation data give is kept all the same', async () => {
    const options = { trainable: 'head', augmentation: { flip: true } } as const;
    const [kept, again] = [await run(options), await run({ ...options, cacheFeatures: 'off' })];
    const judged = kept.result.before.validation?.samples;
    expect(judged).toBeGreaterThan(0);
    expect(kept.result.features).toMatchObject({ cached: false, rows: judged });
    expect(again.result.features).toMatchObject({ cached: false, rows: 0 });
    expect(numbers(kept.result)).toEqual(numbers(again.result));
    expect(kept.bytes?.equals(again.bytes ?? Buffer.alloc(0))).toBe(true);
  });

  it('BatchNorm in training mode before the trained layers', async () => {
    const path = join(ROOT, 'fixtures/networks/resnet/torchscript-opset17-train/model.onnx');
    const options = { trainable: 'head', loss: 'ce', epochs: 1, batchSize: 8 } as const;
    const stirred = { ...options, batchNorm: 'train' } as const;
    const why = /Dropout or BatchNorm in training mode changes/;
    const given = async () => ({ path, data: await pictures(path) });
    const still = await run(options, await given());
    expect(still.result.features).toMatchObject({ cached: true, nodes: expect.any(Number) });
    expect((await run(stirred, await given())).result.features).toMatchObject({
      cached: false,
      why: expect.stringMatching(why),
    });
    await expect(run({ ...stirred, cacheFeatures: 'on' }, await given())).rejects.toThrow(why);
  });

  const LAYERS = 'onnx::*,model.classifier*,model.bert.pooler*,model.bert.encoder*';
  const frozen: readonly (readonly [string, string, boolean])[] = [
    ['nothing but slices and casts of the ids, with everything trained', '*', false],
    ['the same, named by its parts', `${LAYERS},*.embeddings.*`, false],
    ['a table of embeddings', `${LAYERS},*position_embeddings*,*token_type*,*LayerNorm*`, true],
    ['all but the head', 'head', true],
  ];
  it.each(frozen)('what is frozen is said where it has weights or work: %s', async (_, trainable, isSaid) => {
    const folder = join(ROOT, 'fixtures/sentences');
    const data = await openData(join(folder, 'train.csv'), { tokenizer: join(folder, 'tokenizer.json') });
    const options = { trainable, loss: 'ce', epochs: 1 } as const;
    const { result } = await run(options, { path: join(folder, 'model.onnx'), data });
    const notes = result.notes.filter((note) => note.includes('The frozen layers'));
    expect(notes).toHaveLength(isSaid ? 1 : 0);
    expect((result.features?.nodes ?? 0) > 0).toBe(isSaid);
  });

  it.each([
    ['a mean: none', { mixing: true }, 0],
    ['a product with constants that are no parameters: one', { filtered: true }, 1],
  ])('notes where before the trained layers lies only %s', async (_, form, notes) => {
    const path = join(temporaryFolder(), 'branches.onnx');
    writeBranches(path, form);
    const { result } = await run({ trainable: 'A,B,C,D', loss: 'ce', epochs: 1 }, { path, data: points() });
    expect(result.notes.filter((note) => note.includes('The frozen layers'))).toHaveLength(notes);
  });

  it('an option that is none', async () => {
    await expect(run({ cacheFeatures: 'always' as 'on' })).rejects.toThrow(/one of auto, on, off/);
  });

  it('and a batch that is left aside raises nothing later, where the run is stopped before the first', async () => {
    const path = join(temporaryFolder(), 'branches.onnx');
    writeBranches(path);
    using model = await open(path);
    const samples = await openSamples(points(), inputPorts(model, 'labels'), { name: 'labels', classes: 4 });
    const ask = () => Promise.reject(new Error('no graph is open'));
    const part = { bytes: new Uint8Array(), passed: [], feeds: {}, nodes: 0, names: [] };
    const reader = { runner: { ask, close: async () => {} }, part, batch: 2, fixed: undefined };
    const signal = AbortSignal.abort(new Error('stopped'));
    const how = { labels: 'labels', folder: temporaryFolder(), signal };
    await expect(cacheFeatures(reader, samples, [Uint32Array.of(0, 1)], how)).rejects.toThrow('stopped');
    // An error that nobody takes ends the process, and fails this test run.
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});
