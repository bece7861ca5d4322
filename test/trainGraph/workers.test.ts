import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { losses, optimizers } from '../../graphs/index.ts';
import { random } from '../../src/data/random.ts';
import { type Form, type Model, open, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { lossgraft, ROOT } from '../support/cli.ts';
import { dropoutMlp } from '../support/dropoutMlp.ts';
import { arraysOf, findNetworks, relativeError } from '../support/networks.ts';
import { type Tensors, wholeStep, workersStep, workersTotals } from '../support/workers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-workers-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const MLP = join(scratch, 'mlp.onnx');
writeFileSync(MLP, dropoutMlp());

const STEPS = 6;
/** Cut in 2, 3 and 7 its parts differ in length; cut in 64 most have no samples. */
const BATCH = 23;
const COUNTS = [1, 2, 3, 7, 64];
/** Of a parameter, relative to its largest entry. (Moments that cancel out over the samples differ by more.) */
const BOUND = 2e-6;

function rows(length: number, width: number, seed: number): Tensor {
  const { next } = random(seed);
  return {
    dtype: 'float32',
    dims: [length, width],
    data: Float32Array.from({ length: length * width }, () => next() / 2 ** 31 - 1),
  };
}

function batchOf(step: number, isMultiLabel: boolean): Tensors {
  const { below } = random(step, 99);
  const labels: Tensor = isMultiLabel
    ? { dtype: 'float32', dims: [BATCH, 3], data: Float32Array.from({ length: BATCH * 3 }, () => below(2)) }
    : { dtype: 'int64', dims: [BATCH], data: BigInt64Array.from({ length: BATCH }, () => BigInt(below(3))) };
  return { x: rows(BATCH, 5, step), labels };
}

async function sessionsOf(model: Model, options: TrainGraphOptions) {
  const graph = await trainGraph(model, options);
  const sessions = await Promise.all([...graph.bytes().values()].map((bytes) => openSession(bytes)));
  return { graph, sessions, close: () => Promise.all(sessions.map((session) => session.close())) };
}

/** The worst error of a parameter of workers against that of one process. */
async function worstErrors(options: TrainGraphOptions, counts = COUNTS): Promise<number[]> {
  const model = await open(MLP);
  const isMultiLabel = losses[options.loss as keyof typeof losses].task === 'multi-label';
  const formOf = (form: Form) => sessionsOf(model, { trainable: 'all', dropout: 'train', seed: 3, ...options, form });
  const [one, many] = await Promise.all([formOf('step'), formOf('split')]);
  const [step, gradients, apply] = [...one.sessions, ...many.sessions];
  const { workers } = many.graph.report;
  if (!step || !gradients || !apply || !workers) throw new Error('no graphs');
  const rate = (i: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(0.02 / (1 + i)) });
  const start = (): Tensors => Object.fromEntries(many.graph.initialState());
  let expected = start();
  for (let i = 0; i < STEPS; i++)
    expected = await wholeStep(step, { state: expected, batch: batchOf(i, isMultiLabel), rate: rate(i) });
  const errors: number[] = [];
  for (const count of counts) {
    let state = start();
    for (let i = 0; i < STEPS; i++) {
      const totals = await workersTotals(gradients, workers, { state, batch: batchOf(i, isMultiLabel), count });
      state = await workersStep(apply, { state, totals, rate: rate(i) });
    }
    expect(Object.keys(state).sort()).toEqual(Object.keys(expected).sort());
    expect(relativeError(start().w1, expected.w1 as Tensor)).toBeGreaterThan(1e-4);
    const parameters = Object.entries(expected).filter(([name]) => /^[wb][12]$|^lossgraft[.]dropout_step$/.test(name));
    expect(parameters).toHaveLength(5);
    errors.push(Math.max(...parameters.map(([name, tensor]) => relativeError(state[name], tensor))));
  }
  await Promise.all([one.close(), many.close()]);
  model.close();
  return errors;
}

const names = Object.keys(losses);
const counted = { classCounts: [50, 20, 5] };
function optionsOf(name: string): TrainGraphOptions {
  const loss = name as keyof typeof losses;
  const { task, needsCounts, options } = losses[loss];
  const samples = task === 'multi-label' && needsCounts ? { sampleCount: 60 } : {};
  // At its default of 1000 single samples of these few throw the weights about.
  const alpha = 'alpha' in options ? { alpha: 1 } : {};
  return { loss, ...alpha, ...(needsCounts ? { ...counted, ...samples } : {}) } as TrainGraphOptions;
}

describe('workers that each have a part of the batch', () => {
  it.each(names)('end with the parameters of one process: %s', async (name) => {
    for (const error of await worstErrors(optionsOf(name))) expect(error).toBeLessThan(BOUND);
  });

  it.each(Object.keys(optimizers))('with the optimizer %s, clipped and accumulated', async (optimizer) => {
    const given = { ...optionsOf('ib'), optimizer: optimizer as 'sgd', clipNorm: 0.5, accumulate: 3 };
    for (const error of await worstErrors({ ...given, ...counted })) expect(error).toBeLessThan(BOUND);
  });

  it('with sums in place of means, and with the loss scale of mixed precision', async () => {
    for (const error of await worstErrors({ loss: 'ce', reduction: 'sum' })) expect(error).toBeLessThan(BOUND);
    for (const error of await worstErrors({ loss: 'ce', precision: 'mixed' })) expect(error).toBeLessThan(1e-3);
  });
});

it('trains scales of quantised weights as one process does', async () => {
  const model = await open(join(ROOT, 'fixtures/qdq/tensor.onnx'));
  const { x, labels } = await arraysOf(join(ROOT, 'fixtures/qdq/data.npz'));
  const batch = { x, labels } as Tensors;
  const common = { loss: 'ce', trainable: 'all', learnScales: true, optimizer: 'adamw', classWeights: 'none' } as const;
  const formOf = (form: Form) => sessionsOf(model, { ...common, form });
  const [one, many] = await Promise.all([formOf('step'), formOf('split')]);
  const [step, gradients, apply] = [...one.sessions, ...many.sessions];
  const { workers } = many.graph.report;
  if (!step || !gradients || !apply || !workers) throw new Error('no graphs');
  const rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(0.01) };
  const state = Object.fromEntries(one.graph.initialState());
  const expected = await wholeStep(step, { state, batch, rate });
  const totals = await workersTotals(gradients, workers, { state, batch, count: 1 });
  const found = await workersStep(apply, { state, totals, rate });
  for (const [name, tensor] of Object.entries(expected))
    expect(relativeError(found[name], tensor), name).toBeLessThan(1e-6);
  await Promise.all([one.close(), many.close()]);
  model.close();
});

it('refuses masks whose rows are not the samples', async () => {
  const path = join(scratch, 'columns.onnx');
  writeFileSync(path, dropoutMlp({ samplesLast: true }));
  const model = await open(path);
  const given = { loss: 'ce', trainable: 'all', dropout: 'train' } as const;
  await trainGraph(model, given);
  await expect(trainGraph(model, { ...given, form: 'split' })).rejects.toThrow(
    /first dimension.*\[8, N\].*`dropout: "off"`/s,
  );
  model.close();
});

describe('the manifest of the split form', () => {
  it('says how each output is combined, and which graph clips and accumulates', async () => {
    const model = await open(MLP);
    const given = {
      loss: 'ce',
      form: 'split',
      trainable: 'all',
      clipNorm: 1,
      accumulate: 2,
      dropout: 'train',
    } as const;
    const { report } = await trainGraph(model, given);
    expect(report.workers).toEqual({
      outputs: [
        ...['loss', 'w1.grad', 'b1.grad', 'w2.grad', 'b2.grad'].map((name) => ({ name, combine: 'weighted-mean' })),
        { name: 'lossgraft.dropout_step.next', combine: 'same' },
      ],
      clips: 'apply.onnx',
      accumulates: 'apply.onnx',
      rowOffset: 'lossgraft.row_offset',
      batchNorm: 'same',
    });
    const plain = await trainGraph(model, { loss: 'ce', form: 'split', reduction: 'sum' });
    expect(plain.report.workers).toMatchObject({ clips: null, accumulates: null, rowOffset: null });
    expect(plain.report.workers?.outputs.map(({ combine }) => combine)).toEqual(['sum', 'sum', 'sum']);
    const step = await trainGraph(model, { loss: 'ce' });
    expect(step.report.workers).toBeUndefined();
    model.close();
  });

  it('has BatchNorm in training mode only where that was asked for', async () => {
    const network = findNetworks().find(({ mode }) => mode === 'train');
    const path = network?.model ?? '';
    const given = [
      'train-graph',
      path,
      '-o',
      join(scratch, 'split'),
      '--loss',
      'ce',
      '--split',
      '--batch-norm',
      'train',
    ];
    const refused = await lossgraft(given);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/sees only its part of a batch.*--batch-norm frozen.*--batch-norm-per-worker/s);
    const model = await open(path);
    const allowed = {
      loss: 'ce',
      form: 'split',
      batchNorm: 'train',
      trainable: 'all',
      batchNormPerWorker: true,
    } as const;
    const { report } = await trainGraph(model, allowed);
    expect(report.workers?.batchNorm).toBe('per-worker');
    const moving = report.workers?.outputs.filter(({ name }) => name.endsWith('.next')) ?? [];
    expect(moving.length).toBeGreaterThan(1);
    expect(new Set(moving.map(({ combine }) => combine))).toEqual(new Set(['weighted-mean']));
    model.close();
  });
});
