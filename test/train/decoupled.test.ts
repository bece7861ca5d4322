import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  fromTensors,
  type Model,
  open,
  openData,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { open as openModel } from '../../src/model.ts';
import { readTensor } from '../../src/onnx/index.ts';
import { readSafetensors } from '../../src/safetensors/read.ts';
import type { Tensor } from '../../src/tensor.ts';
import { newHead } from '../../src/train/newHead.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';
import { trainHost } from '../support/trainHosts.ts';

const FOLDER = join(ROOT, 'fixtures/sampling');
const SMALL = { epochs: 2, batchSize: 32, report: false } as const;

async function weightsOf(path: string): Promise<Map<string, number[]>> {
  const { proto, dir, close } = await openModel(path);
  const tensors = proto.graph.initializers.map(({ name, ...rest }): [string, number[]] => {
    const { data } = readTensor(proto.source, { name, ...rest }, { modelDir: dir });
    return [name, Array.from(data, Number)];
  });
  close();
  return new Map(tensors);
}

async function tune(model: Model, options: Omit<TrainOptions, 'folder'>, folder = temporaryFolder()) {
  const result = await train(model, { ...SMALL, ...options, folder });
  const path = join(folder, 'tuned.onnx');
  if (!result.interrupted) await result.write(path, { anyway: true, force: true });
  return { result, path, folder };
}

async function digits(options: Partial<TrainOptions>, folder = temporaryFolder()) {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  try {
    return await tune(model, { ...options, data }, folder);
  } finally {
    data.close();
    model.close();
  }
}

const losses = ({ history }: TrainResult) => history.map(({ trainLoss }) => trainLoss);

describe('learnable weight scaling', () => {
  it('takes the steps of PyTorch, and goes into the weights and the bias of the last layer', async () => {
    const judged = await openData(join(FOLDER, 'decoupled.npz'));
    const read = async (name: string): Promise<Tensor> => {
      const column = judged.columns.get(name);
      if (!column) throw new Error(`no ${name}`);
      return column.read(0, column.dims[0] ?? 0);
    };
    const [x, labels, gradient, scales, expected] = await Promise.all(
      ['x', 'labels', 'gradient', 'scales', 'losses'].map(read),
    );
    const own = (): Dataset => fromTensors({ x: x as Tensor, labels: labels as Tensor });
    const source = join(FOLDER, 'decoupled.onnx');
    const model = await open(source);
    const how = {
      optimizer: 'sgd',
      learningRate: 0.2,
      schedule: 'constant',
      warmup: 0,
      batchSize: 24,
      momentum: 0,
    } as const;
    const { result, path, folder } = await tune(model, {
      ...how,
      method: 'lws',
      epochs: 5,
      data: own(),
      validation: own(),
    });
    model.close();
    for (const [i, loss] of losses(result).slice(1).entries()) {
      expect(loss).toBeCloseTo(Number(expected?.data[i]), 6);
    }
    const [{ file }] = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8')).bests;
    const state = readSafetensors(join(folder, file)).get('lossgraft/scales');
    const stepped = Array.from((scales?.data ?? []) as ArrayLike<unknown>, Number);
    const last = stepped.slice(-4);
    for (const [k, scale] of last.entries()) expect(Number(state?.data[k])).toBeCloseTo(scale, 6);
    const step = stepped.slice(0, 4).map((s) => (1 - s) / 0.2);
    for (const [k, g] of step.entries()) expect(g).toBeCloseTo(Number(gradient?.data[k]), 9);
    const [before, after] = [await weightsOf(source), await weightsOf(path)];
    for (const [name, values] of before) {
      const isHead = name.startsWith('1.');
      const width = name.endsWith('bias') ? 1 : 8;
      const wanted = values.map((w, i) => (isHead ? w * (last[Math.floor(i / width)] ?? 0) : w));
      for (const [i, w] of wanted.entries()) expect(after.get(name)?.[i], name).toBeCloseTo(w, isHead ? 6 : 12);
    }
    expect(after.size).toBe(before.size);
  });

  it('is refused by name where the last layer cannot take the scales', async () => {
    const model = await trainHost({
      lines: [['MatMul(x, w) -> a'], ['Relu(a) -> h'], ['MatMul(h, w) -> logits']],
      weights: { w: [4, 4] },
    });
    const data = fromTensors({
      x: { dtype: 'float32', dims: [8, 4], data: Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)) },
      labels: { dtype: 'int64', dims: [8], data: BigInt64Array.from([0n, 1n, 2n, 0n, 1n, 2n, 0n, 1n]) },
    });
    await expect(tune(model, { data, method: 'lws', trustLabels: true })).rejects.toThrow(
      /whose weights nothing else reads: they take the scales.*method.*crt/s,
    );
  });

  it('trains nothing else', async () => {
    const { path, result } = await digits({ method: 'lws' });
    const [before, after] = [await weightsOf(join(DIGITS, 'model.onnx')), await weightsOf(path)];
    const changed = [...before].filter(([name, values]) => String(values) !== String(after.get(name)));
    expect(changed.map(([name]) => name)).toEqual(['fc2.weight', 'fc2.bias']);
    expect(result.features?.cached).toBe(true);
    await expect(digits({ method: 'lws', trainable: 'all' })).rejects.toThrow(/trainable/);
    await expect(digits({ method: 'lws', freshHead: true })).rejects.toThrow(/freshHead/);
  });
});

describe('a classifier trained anew', () => {
  it('leaves all but the last layer as it is', async () => {
    const { path, result } = await digits({ method: 'crt' });
    const [before, after] = [await weightsOf(join(DIGITS, 'model.onnx')), await weightsOf(path)];
    const changed = [...before].filter(([name, values]) => String(values) !== String(after.get(name)));
    expect(changed.map(([name]) => name)).toEqual(['fc2.weight', 'fc2.bias']);
    expect(result.arms.map(({ name }) => name)).toEqual(['ce+sampled']);
  });

  it('may begin with a new last layer, within the bounds of PyTorch, by the seed alone', async () => {
    const model = await openModel(join(DIGITS, 'model.onnx'));
    const made = (seed: number) => newHead(model, { logits: undefined, classes: 10, seed });
    const [head, same, other] = [await made(0), await made(0), await made(1)];
    model.close();
    expect(Object.keys(head)).toEqual(['fc2.weight', 'fc2.bias']);
    expect(same).toEqual(head);
    expect(other).not.toEqual(head);
    const all = Object.values(head).flatMap(({ data }) => Array.from(data, Number));
    const bound = 1 / Math.sqrt(64);
    expect(Math.max(...all.map(Math.abs))).toBeLessThanOrEqual(bound);
    // Of 650 uniform numbers the root mean square is bound/√3, within 4 of its own errors.
    const rms = Math.sqrt(all.reduce((sum, w) => sum + w * w, 0) / all.length);
    expect(Math.abs(rms / (bound / Math.sqrt(3)) - 1)).toBeLessThan(0.08);
  });

  it('with a new last layer is resumed with the same bytes, and is judged against the model as it was', async () => {
    const how = { method: 'crt', freshHead: true } as const;
    const whole = await digits(how);
    const kept = await digits({ method: 'crt' });
    expect(whole.result.before.validation?.accuracy).toBe(kept.result.before.validation?.accuracy);
    expect(losses(whole.result)[1]).toBeGreaterThan(1.2 * Number(losses(kept.result)[1]));
    const folder = temporaryFolder();
    const stop = new AbortController();
    let reports = 0;
    const onProgress = () => ++reports === 2 && stop.abort();
    const cut = await digits({ ...how, stepsPerRun: 2, onProgress, signal: stop.signal }, folder);
    expect(cut.result.interrupted).toBe(true);
    const { path } = await digits({ ...how, stepsPerRun: 2, mode: 'resume' }, folder);
    expect(readFileSync(path).equals(readFileSync(whole.path))).toBe(true);
  });
});
