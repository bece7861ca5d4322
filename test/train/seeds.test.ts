import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const SMALL = { epochs: 2, batchSize: 32, stepsPerRun: 2, report: false, threads: 1, folds: 1 } as const;

async function run(options: Partial<TrainOptions>, folder = temporaryFolder()) {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  try {
    const result = await train(model, { ...SMALL, ...options, data, folder });
    const path = join(folder, 'tuned.onnx');
    if (!result.interrupted) await result.write(path, { force: true, anyway: true });
    return { result, folder, bytes: result.interrupted ? Buffer.alloc(0) : readFileSync(path) };
  } finally {
    data.close();
    model.close();
  }
}

const recall = ({ arms }: TrainResult) => arms[0]?.judged?.balancedAccuracy ?? Number.NaN;

describe('several seeds', () => {
  it('are runs with the same split; the best of those that are taken is written', async () => {
    const both = await run({ seeds: 2, seed: 5, compare: ['ce'] });
    const each = [await run({ seed: 5, compare: ['ce'] }), await run({ seed: 6, splitSeed: 5, compare: ['ce'] })];
    const { seeds } = both.result;
    const values = each.map(({ result }) => recall(result));
    const row = seeds?.rows.find(({ name }) => name === 'logit-adjustment');
    expect(row?.metrics.balancedAccuracy?.values).toEqual(values);
    const [a = 0, b = 0] = values;
    expect(row?.metrics.balancedAccuracy?.mean).toBeCloseTo((a + b) / 2, 12);
    expect(row?.metrics.balancedAccuracy?.sd).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12);
    const given = each[0]?.result.before.judged?.balancedAccuracy ?? 0;
    expect(row?.change?.balancedAccuracy?.mean).toBeCloseTo((a + b) / 2 - given, 12);
    expect(seeds?.rows.map(({ name }) => name)).toEqual(['before', 'logit-adjustment', 'ce']);
    expect(seeds?.rows[2]?.againstFirst?.macroF1).toBeDefined();
    const gains = each.map(({ result }) => result.decision?.candidates[0]?.verdict.macroF1 ?? 0);
    expect(seeds?.runs.map(({ gain }) => gain)).toEqual(gains);
    const best = gains.indexOf(Math.max(...gains));
    expect(seeds?.chosen).toBe(5 + best);
    expect(both.bytes.equals(each[best]?.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(JSON.parse(readFileSync(join(both.folder, 'seeds.json'), 'utf8'))).toEqual(seeds);
  }, 60_000);

  it('go on where they were interrupted, with the same bytes', async () => {
    const whole = await run({ seeds: 2 });
    const folder = temporaryFolder();
    const stop = new AbortController();
    const onProgress: TrainOptions['onProgress'] = ({ arm }) => arm.startsWith('seed 1') && stop.abort();
    expect((await run({ seeds: 2, onProgress, signal: stop.signal }, folder)).result.interrupted).toBe(true);
    expect(existsSync(join(folder, 'run.json'))).toBe(true);
    const { result, bytes } = await run({ seeds: 2, mode: 'resume' }, folder);
    expect(bytes.equals(whole.bytes)).toBe(true);
    expect(result.seeds?.rows).toEqual(whole.result.seeds?.rows);
  }, 60_000);
});
