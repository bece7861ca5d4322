import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

async function run(folder: string, options: Partial<TrainOptions>): Promise<TrainResult> {
  using model = await open(join(DIGITS, 'model.onnx'));
  using data = await openData(join(DIGITS, 'train.npz'));
  using test = await openData(join(DIGITS, 'test.npz'));
  const own = {
    trainable: 'head',
    folds: 1,
    epochs: 2,
    batchSize: 32,
    stepsPerRun: 1,
    threads: 1,
    report: false,
  } as const;
  return await train(model, { data, test, folder, ...own, ...options });
}

/** Without what depends on the clock. */
const numbers = ({ history, arms, influence }: TrainResult): unknown => [
  history.map(({ seconds: _, trainSeconds: _t, waitSeconds: _w, ...record }) => record),
  arms.map(({ test }) => test),
  influence,
];

describe('a signal ends a run that goes on to the same numbers', () => {
  it.each<[string, (stop: AbortController) => Partial<TrainOptions>, number]>([
    ['while what is frozen is computed', (stop) => ({ onFeatures: () => stop.abort() }), 0],
    ['before the first step', (stop) => ({ signal: stop.signal, onNote: () => stop.abort() }), 0],
    [
      'while an epoch is judged',
      (stop) => ({ onProgress: ({ step, stepsPerEpoch }) => (step === stepsPerEpoch ? stop.abort() : undefined) }),
      1,
    ],
    [
      'before test data and influence',
      (stop) => ({ onEpoch: ({ epoch }) => (epoch === 2 ? stop.abort() : undefined) }),
      3,
    ],
  ])('%s', async (_when, options, judged) => {
    const folder = temporaryFolder();
    const whole = await run(join(folder, 'whole'), { cacheFeatures: 'on' });
    const stop = new AbortController();
    const cut = await run(join(folder, 'cut'), { cacheFeatures: 'on', signal: stop.signal, ...options(stop) });
    expect([cut.interrupted, cut.history.length, cut.influence]).toEqual([true, judged, null]);
    const again = await run(join(folder, 'cut'), { cacheFeatures: 'on', mode: 'resume' });
    expect(again.interrupted).toBe(false);
    expect(numbers(again)).toEqual(numbers(whole));
  });
});
