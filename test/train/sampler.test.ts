import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const SMALL = { epochs: 2, batchSize: 32, stepsPerRun: 2, report: false } as const;

async function run(options: Partial<TrainOptions>, folder = temporaryFolder()): Promise<TrainResult> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  try {
    const result = await train(model, { ...SMALL, ...options, data, folder });
    if (!result.interrupted) await result.write(join(folder, 'tuned.onnx'), { force: true, anyway: true });
    return result;
  } finally {
    data.close();
    model.close();
  }
}

const losses = ({ history }: TrainResult) => history.map(({ trainLoss }) => trainLoss);

describe('a sampler', () => {
  it('is resumed in the middle of an epoch with the same bytes', async () => {
    const [whole, parts] = [temporaryFolder(), temporaryFolder()];
    const how = { loss: 'ce', sampler: 'sqrt' } as const;
    await run(how, whole);
    const stop = new AbortController();
    let reports = 0;
    const onProgress = () => ++reports === 3 && stop.abort();
    expect((await run({ ...how, onProgress, signal: stop.signal }, parts)).interrupted).toBe(true);
    await run({ ...how, mode: 'resume' }, parts);
    const bytes = (folder: string) => readFileSync(join(folder, 'tuned.onnx'));
    expect(bytes(parts).equals(bytes(whole))).toBe(true);
    await expect(run({ ...how, sampler: 'balanced', mode: 'resume' }, parts)).rejects.toThrow(/sampler/);
  });

  it('corrects nothing twice: weights and priors are of the classes as drawn', async () => {
    const sampler = 'balanced';
    const [plain, weighted, softmax, half] = await Promise.all([
      run({ loss: 'ce', sampler }),
      run({ loss: 'ce', sampler, classWeights: 'inverse' }),
      run({ loss: 'balanced-softmax', sampler }),
      run({ sampler, optimizer: 'sgd', learningRate: 0.01, schedule: 'constant', warmup: 0 }),
    ]);
    for (const other of [weighted, softmax, half]) {
      for (const [i, loss] of losses(plain).entries()) {
        if (loss !== null) expect(losses(other)[i]).toBeCloseTo(loss, 5);
      }
    }
    expect(losses(plain)).not.toEqual(losses(await run({ loss: 'ce' })));
    expect(plain.notes.join('\n')).toMatch(
      /Sampler balanced: an epoch draws each of the \d+ samples of class \d+ about/,
    );
  });

  it('takes the numbers of given weights as they are, and says so', async () => {
    const classWeights = Array.from({ length: 10 }, (_, k) => 1 + k);
    const given = await run({ loss: 'ce', sampler: 'balanced', classWeights });
    expect(given.notes.join('\n')).toMatch(/yours and stay as they are: both correct/);
  });

  it('waits for the second phase, and draws the same at any number of threads', async () => {
    const how = { loss: 'ce', sampler: 'balanced', ibFrom: 1, ibRateFactor: 1 } as const;
    const [drawn, plain, threads] = await Promise.all([
      run({ ...how, threads: 1 }),
      run({ loss: 'ce', ibFrom: 1, ibRateFactor: 1, threads: 1 }),
      run({ ...how, threads: 2 }),
    ]);
    expect(losses(drawn)[1]).toBe(losses(plain)[1]);
    expect(losses(drawn)[2]).not.toBe(losses(plain)[2]);
    for (const [i, loss] of losses(drawn).entries()) {
      if (loss !== null) expect(losses(threads)[i]).toBeCloseTo(loss, 5);
    }
  });

  it('is that of the method, where this is one of sampling', async () => {
    await expect(run({ method: 'sampled', sampler: 'sqrt' })).rejects.toThrow(/either .sampler. or/);
    const named = await run({ loss: 'ce', compare: ['ce+sampled'], sampler: 'balanced', epochs: 1 });
    const [, own, sampled] = losses(named);
    expect(sampled).toBe(own);
  });
});
