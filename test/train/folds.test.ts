import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crossSplits } from '../../src/data/folds.ts';
import {
  type Dataset,
  open,
  openData,
  selectRows,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const SMALL = { epochs: 2, batchSize: 32, stepsPerRun: 2, report: false, threads: 1 } as const;
const FOLDS = 3;

async function run(options: Partial<TrainOptions>, folder = temporaryFolder()) {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = options.data ?? (await openData(join(DIGITS, 'train.npz')));
  try {
    const result = await train(model, { ...SMALL, ...options, data, folder });
    const path = join(folder, 'tuned.onnx');
    if (!result.interrupted) await result.write(path, { force: true, anyway: true });
    return { result, folder, path };
  } finally {
    if (data !== options.data) data.close();
    model.close();
  }
}

async function splitsOf(data: Dataset) {
  const labels = await data.columns.get('labels')?.read(0, data.columns.get('labels')?.dims[0] ?? 0);
  return crossSplits(Array.from((labels?.data ?? []) as BigInt64Array, Number), FOLDS, 0);
}

const sum = (all: readonly (readonly (readonly number[])[] | null | undefined)[]) =>
  all.reduce<number[][]>((total, one) => (one ?? []).map((row, i) => row.map((n, k) => n + (total[i]?.[k] ?? 0))), []);
const rarest = ({ decision }: TrainResult) => decision?.candidates[0]?.verdict.rarest;

describe('a run with folds', () => {
  it('is judged by models that have not seen the samples, and is trained on all of them', async () => {
    const { result, path } = await run({ method: 'half', folds: FOLDS });
    const data = await openData(join(DIGITS, 'train.npz'));
    const apart: TrainResult[] = [];
    for (const { train: rows, validation } of await splitsOf(data)) {
      const part = { method: 'half', data: selectRows(data, rows), validation: selectRows(data, validation) } as const;
      apart.push((await run(part)).result);
    }
    const confusion = (after: boolean) =>
      sum(apart.map(({ before, arms }) => (after ? arms[0]?.judged?.confusion : before.judged?.confusion)));
    expect(result.before.judged?.confusion).toEqual(confusion(false));
    expect(result.arms[0]?.judged?.confusion).toEqual(confusion(true));
    expect(result.folds).toBe(FOLDS);
    const whole = await openData(join(DIGITS, 'train.npz'));
    const all = await run({ method: 'half', data: whole, validation: await openData(join(DIGITS, 'train.npz')) });
    expect(result.classCounts).toEqual(all.result.classCounts);
    expect(readFileSync(path).equals(readFileSync(all.path))).toBe(true);
    // The samples of the rarest class are all judged.
    expect(rarest(result)?.samples).toBe(Math.min(...result.classCounts));
  }, 60_000);

  it('goes on in the fold where it was interrupted, with the same bytes', async () => {
    const whole = await run({ method: 'half', folds: FOLDS });
    const folder = temporaryFolder();
    const stop = new AbortController();
    let seen = '';
    const onProgress: TrainOptions['onProgress'] = ({ arm, step }) => {
      seen = arm;
      if (arm.startsWith('fold 2') && step > 2) stop.abort();
    };
    const cut = await run({ method: 'half', folds: FOLDS, onProgress, signal: stop.signal }, folder);
    expect(cut.result.interrupted).toBe(true);
    expect(seen).toBe('fold 2 of 3, logit-adjustment');
    expect(existsSync(join(folder, 'run.json'))).toBe(true);
    await expect(run({ method: 'half', folds: FOLDS }, folder)).rejects.toThrow(/a folder that holds no run/);
    const { result, path } = await run({ method: 'half', folds: FOLDS, mode: 'resume' }, folder);
    expect(readFileSync(path).equals(readFileSync(whole.path))).toBe(true);
    expect(result.arms[0]?.judged).toEqual(whole.result.arms[0]?.judged);
    await expect(run({ method: 'half', folds: 2, mode: 'resume' }, folder)).rejects.toThrow(/folds/);
  }, 60_000);

  it('is refused where folds would choose the epoch, and beside data to judge by', async () => {
    await expect(run({ folds: 3, validation: 0.3 })).rejects.toThrow(/folds are the validation data/);
    await expect(run({ folds: 3, loss: 'ce' })).rejects.toThrow(/select.*last/);
    await expect(run({ folds: 3, patience: 2 })).rejects.toThrow(/select.*last/);
    expect((await run({ folds: 2, loss: 'ce', select: 'last' })).result.folds).toBe(2);
  }, 60_000);
});

describe('without folds asked for', () => {
  it('they judge where too few samples of a class would be held out', async () => {
    const { result } = await run({ epochs: 1, method: 'full' });
    expect(result.folds).toBe(5);
    expect(result.notes.join('\n')).toMatch(/Of class \d \d of \d+ samples would be held out, too few to judge by/);
    const held = await run({ epochs: 1, method: 'full', folds: 1 });
    expect(held.result.folds).toBeNull();
    expect(rarest(result)?.samples ?? 0).toBeGreaterThan(rarest(held.result)?.samples ?? 0);
    expect((await run({ epochs: 1, method: 'full', validation: 0.2 })).result.folds).toBeNull();
    const half = (await run({ epochs: 1 })).result;
    expect(half.folds).toBeNull();
    expect(half.notes.join('\n')).toContain('too few to judge by: `folds: 5` judges by all of them');
    expect((await run({ epochs: 1, loss: 'ce' })).result.folds).toBeNull();
  }, 60_000);
});
