import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  fromTensors,
  open,
  openData,
  type TrainOptions,
  type TrainResult,
  train,
  trainGraph,
} from '../../src/index.ts';
import { collapseOf } from '../../src/metrics/collapse.ts';
import { readSafetensors } from '../../src/safetensors/read.ts';
import type { Tensor } from '../../src/tensor.ts';
import { bestOf } from '../../src/trainer/decide.ts';
import { lossgraft, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const MODEL = join(DIGITS, 'model.onnx');

/** Judged on data that the model has not seen, of 40 samples a class. */
async function run(
  folder: string,
  options: Partial<TrainOptions>,
  use: (result: TrainResult) => TrainResult | Promise<TrainResult> = (result) => result,
): Promise<TrainResult> {
  const model = await open(MODEL);
  const [data, validation] = [
    options.data ?? (await openData(join(DIGITS, 'train.npz'))),
    await openData(join(DIGITS, 'test.npz')),
  ];
  try {
    const result = await train(model, { report: false, validation, ...options, data, folder });
    return await use(result);
  } finally {
    data.close();
    validation.close();
    model.close();
  }
}

/** The training data, of which every so many samples have a wrong label. */
async function mislabelled(every: number): Promise<Dataset> {
  const source = await openData(join(DIGITS, 'train.npz'));
  const columns: Record<string, Tensor> = {};
  for (const [name, column] of source.columns) columns[name] = await column.read(0, column.dims[0] ?? 0);
  source.close();
  const given = Array.from<number | bigint | string>(columns.labels?.data ?? []).map(Number);
  const data = BigInt64Array.from(given, (k, i) => BigInt(i % every === 0 ? (k + 1) % 10 : k));
  return fromTensors({ ...columns, labels: { dtype: 'int64', dims: [data.length], data } });
}

describe('what a run comes to', () => {
  it('is the trained model where it is better, with the numbers', async () => {
    const folder = temporaryFolder();
    const { decision, before, arms, notes } = await run(folder, {});
    expect(decision?.taken).toEqual({ arm: 'logit-adjustment', share: 1 });
    const verdict = decision?.candidates[0]?.verdict;
    const last = arms[0]?.best;
    expect(verdict?.decision).toBe('take');
    expect(verdict?.balancedAccuracy).toBeCloseTo(
      (last?.balancedAccuracy ?? 0) - (before.validation?.balancedAccuracy ?? 0),
      10,
    );
    expect(verdict?.macroF1).toBeCloseTo((last?.macroF1 ?? 0) - (before.validation?.macroF1 ?? 0), 10);
    expect(decision?.why).toMatch(/^with logit-adjustment, the mean of balanced accuracy and macro-F1 changed by \+\d/);
    expect(decision?.newness).toBeGreaterThan(2);
    expect(notes.join()).not.toMatch(/no harder than the training data/);
  });

  it('is none where training wrecks it; nothing is written unless that is asked for', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'tuned.onnx');
    const result = await run(folder, { learningRate: 0.5, epochs: 2 }, async (done) => {
      await expect(done.write(out)).rejects.toMatchObject({ problem: { code: 'not-better' } });
      expect(existsSync(out)).toBe(false);
      await done.write(out, { anyway: true });
      return done;
    });
    expect(result.decision).toMatchObject({ taken: null, file: null });
    expect(result.decision?.candidates.map(({ share }) => share)).toEqual([1, 0.5]);
    expect(result.history.at(-1)?.collapse).toMatch(/takes every sample for class \d|fell from/);
    expect(readFileSync(out).equals(readFileSync(MODEL))).toBe(false);
  });

  it('is the weights half-way where these are no worse and the trained ones are', async () => {
    const folder = temporaryFolder();
    const { decision, half, arms } = await run(folder, { epochs: 2, data: await mislabelled(3) });
    const shares = decision?.candidates.map(({ share, verdict }) => [share, verdict.decision]);
    expect(shares).toEqual([
      [1, 'keep'],
      [0.5, 'take'],
    ]);
    expect(decision?.taken?.share).toBe(0.5);
    expect(half?.balancedAccuracy).toBeGreaterThan(arms[0]?.best.balancedAccuracy ?? 1);
    const state = (file: string) => readSafetensors(join(folder, file)).get('fc2.bias')?.data ?? [];
    const checkpoint = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));
    const [after, between] = [state(checkpoint.bests[0].file), state(decision?.file ?? '')];
    const model = await open(MODEL);
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'all' });
    const before = new Map(graph.initialState()).get('fc2.bias')?.data ?? [];
    model.close();
    expect(before).toHaveLength(10);
    for (const [i, value] of between.entries())
      expect(Number(value)).toBeCloseTo((Number(before[i]) + Number(after[i])) / 2, 6);
  });

  it('cannot be told of classes with fewer than 4 samples: the measured method is taken, others are not', async () => {
    const own = { validation: 0.2, epochs: 1 };
    const half = await run(temporaryFolder(), own);
    expect(half.decision?.candidates[0]?.verdict.decision).toBe('untold');
    expect(half.decision?.taken?.arm).toBe('logit-adjustment');
    expect(half.notes.join()).toMatch(/no harder than the training data/);
    const other = await run(temporaryFolder(), { ...own, loss: 'ib' });
    expect(other.decision).toMatchObject({ taken: null });
    expect(other.decision?.why).toMatch(/has only 1 sample.*not among those that harmed no measured model/);
  });

  it('of several methods is the best that is better', async () => {
    const { decision, arms } = await run(temporaryFolder(), { method: 'auto', epochs: 4 });
    expect(decision?.candidates.filter(({ share }) => share === 1)).toHaveLength(5);
    const able = decision?.candidates.filter(({ verdict }) => verdict.decision === 'take').map(({ arm }) => arm) ?? [];
    const scores = arms.filter(({ name }) => able.includes(name)).map(({ best }) => best.macroF1 ?? 0);
    expect(arms.find(({ name }) => name === decision?.taken?.arm)?.best.macroF1).toBe(Math.max(...scores));
  });
});

describe('the best of several', () => {
  const verdict = {
    decision: 'take',
    why: '',
    balancedAccuracy: 0.1,
    macroF1: 0.1,
    joint: 0.1,
    jointBetter: 0.9,
    macroF1Better: 0.9,
    balancedAccuracyBetter: 0.9,
    rarest: { class: 0, samples: 9 },
  } as const;
  const one = { arm: 'ce', verdict, collapse: null, score: 0.5 };
  const best = (...tried: (Omit<typeof one, 'collapse'> & { readonly collapse: string | null })[]) =>
    bestOf({ goal: 'macro-f1', safeLoss: 'logit-adjustment' }, tried)?.arm;

  it('has the highest score, not the first place', () => {
    expect(best(one, { ...one, arm: 'ib', score: 0.6 }, { ...one, arm: 'focal', score: 0.55 })).toBe('ib');
    expect(best(one, { ...one, arm: 'ib' })).toBe('ce');
  });

  it('has not collapsed, whatever its score is', () => {
    expect(best(one, { ...one, arm: 'ib', score: 0.9, collapse: 'it takes every sample for class b' })).toBe('ce');
  });
});

describe('the command line', () => {
  it('leaves with 1 where nothing is written, and says why in a sentence', async () => {
    const folder = temporaryFolder();
    const [data, test, out] = [join(DIGITS, 'train.npz'), join(DIGITS, 'test.npz'), join(folder, 't.onnx')];
    const args = ['train', MODEL, '--data', data, '--validation', test, '-o', out, '--learning-rate', '0.5'];
    const { code, stderr, stdout } = await lossgraft([...args, '--epochs', '1', '--no-report']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/t\.onnx is not written: with logit-adjustment, .*; --write-anyway writes it/);
    expect(stdout).toMatch(/^The model as it was is kept: with logit-adjustment, /m);
    expect(existsSync(out)).toBe(false);
    const again = await lossgraft([...args, '--epochs', '1', '--no-report', '--resume', '--write-anyway']);
    expect(again.code).toBe(0);
    expect(existsSync(out)).toBe(true);
  });
});

describe('export', () => {
  it('writes any loss of a run: what the run would have written, and the others', async () => {
    const folder = temporaryFolder();
    const [data, run] = [join(DIGITS, 'more.npz'), join(folder, 't.run')];
    const args = [
      'train',
      MODEL,
      '--data',
      data,
      '-o',
      join(folder, 't.onnx'),
      '--write-anyway',
      '--no-report',
      '--folds',
      '1',
    ];
    expect((await lossgraft([...args, '--epochs', '2', '--baseline'])).code).toBe(0);
    const write = (arm: string, to: string) => lossgraft(['export', run, '--arm', arm, '-o', join(folder, to)]);
    expect(await write('logit-adjustment', 'same.onnx')).toMatchObject({
      code: 0,
      stdout: `written ${join(folder, 'same.onnx')}\n`,
    });
    expect((await write('ce+inverse', 'other.onnx')).code).toBe(0);
    const [same, other] = [readFileSync(join(folder, 'same.onnx')), readFileSync(join(folder, 'other.onnx'))];
    expect(same.equals(readFileSync(join(folder, 't.onnx')))).toBe(true);
    expect(other.equals(same)).toBe(false);
    expect(other.length).toBe(same.length);
    expect((await write('ib', 'no.onnx')).stderr).toMatch(
      /one of the losses that were trained: logit-adjustment, ce\+inverse, found "ib"/,
    );
    const moved = await lossgraft([
      'export',
      run,
      '--arm',
      'ce+inverse',
      '-o',
      join(folder, 'no.onnx'),
      '--model',
      join(DIGITS, 'model-dynamo.onnx'),
    ]);
    expect([moved.code, moved.stderr]).toEqual([2, expect.stringMatching(/the same model file that was trained/)]);
    expect((await lossgraft(['export', folder, '--arm', 'ce', '-o', 'x.onnx'])).stderr).toMatch(/the folder of a run/);
  });
});

describe('a collapse', () => {
  const was = { samples: 100, accuracy: 0.9, prAuc: 0.8, recall: [1, 0.5, null] };
  it.each([
    [{ samples: 100, accuracy: 0.6, prAuc: 0.7, recall: [0, 1, null] }, 'it takes every sample for class b'],
    [{ samples: 100, accuracy: 0.44, prAuc: 0.7, recall: [0.5, 0.5, null] }, 'its accuracy fell from 90.0 to 44.0 %'],
    [{ samples: 100, accuracy: 0.9, prAuc: 0.39, recall: [1, 0.5, null] }, 'its PR-AUC fell from 80.0 to 39.0 %'],
    [{ samples: 100, accuracy: 0.46, prAuc: null, recall: [0.5, 0.5, null] }, undefined],
    // Three samples of another class that are missed are too few to say that it is never predicted; four are not.
    [{ samples: 100, accuracy: 0.97, prAuc: 0.7, recall: [1, 0, null] }, undefined],
    [{ samples: 100, accuracy: 0.96, prAuc: 0.7, recall: [1, 0, null] }, 'it takes every sample for class a'],
  ])('%j', (now, expected) => {
    expect(collapseOf(was, now, ['a', 'b', 'c'])).toBe(expected);
  });
});
