import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, open, openData, type TrainOptions, train } from '../../src/index.ts';
import { Scored } from '../../src/metrics/scored.ts';
import type { RunParts } from '../../src/trainer/parts.ts';
import { failureOf } from '../../src/trainer/refit.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';
import { readOnnx } from '../support/onnxFile.ts';

const LABELS = join(ROOT, 'fixtures/multiLabel');
const SMALL = { epochs: 2, batchSize: 32, stepsPerRun: 2, report: false, threads: 1, folds: 1 } as const;

async function run(options: Partial<TrainOptions>, folder = temporaryFolder()) {
  using model = await open(join(DIGITS, 'model.onnx'));
  using data = await openData(join(DIGITS, 'train.npz'));
  const said: string[] = [];
  const onNote = (note: string) => said.push(note);
  const all = { ...SMALL, onNote, ...options, data, folder };
  const result = await train(model, all);
  const path = join(folder, 'tuned.onnx');
  if (!result.interrupted) await result.write(path, { force: true, anyway: true });
  return { result, folder, said, bytes: result.interrupted ? undefined : readFileSync(path) };
}

/** All samples are trained on where other data judge. */
async function runOnAll(options: Partial<TrainOptions> = {}) {
  using validation = await openData(join(DIGITS, 'test.npz'));
  return await run({ ...options, validation });
}

const states = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

describe('a training that is taken', () => {
  it('is repeated on all samples, and that is written', async () => {
    using test = await openData(join(DIGITS, 'test.npz'));
    const { result, folder, said, bytes } = await run({ test });
    const all = await runOnAll();
    const judged = await run({ refit: false });
    expect(bytes).toEqual(all.bytes);
    expect(bytes).not.toEqual(judged.bytes);
    expect(result.refit?.samples).toBe(all.result.classCounts.reduce((sum, n) => sum + n, 0));
    expect(result.decision).toEqual(judged.result.decision);
    expect(result.refit?.test?.confusion).toEqual(all.result.arms[0]?.judged?.confusion);
    expect(result.arms[0]?.judged?.confusion).not.toEqual(result.refit?.test?.confusion);
    expect(said.join('\n')).toMatch(
      /samples that are held out show the trained model to be better, its training is repeated on all/,
    );
    expect(result.notes.join('\n')).toMatch(/The weights that are written were trained once more, on all \d+ samples/);
    expect(judged.result.refit).toBeNull();
    expect(judged.said.join('\n')).not.toContain('repeated');
    expect(existsSync(join(folder, 'refit'))).toBe(false);
    expect(states(folder)).toContain(result.refit?.file);
  }, 180_000);

  it('of the last layer alone, behind features that are computed once, gives the same', async () => {
    const own = { trainable: 'head', cacheFeatures: 'on' } as const;
    const { bytes, result } = await run(own);
    expect(result.features?.cached).toBe(true);
    expect(bytes).toEqual((await runOnAll(own)).bytes);
  }, 180_000);

  it('is repeated where it was interrupted, with the same bytes', async () => {
    const whole = await run({});
    const folder = temporaryFolder();
    const stop = new AbortController();
    let steps = 0;
    const onProgress: TrainOptions['onProgress'] = ({ arm }) => {
      if (!arm.endsWith('all samples')) return;
      steps += 1;
      if (steps === 2) stop.abort();
    };
    const cut = await run({ onProgress, signal: stop.signal }, folder);
    expect(cut.result.interrupted).toBe(true);
    expect(existsSync(join(folder, 'refit', 'checkpoint.json'))).toBe(true);
    const rest = await run({ mode: 'resume' }, folder);
    expect(rest.bytes).toEqual(whole.bytes);
    expect(existsSync(join(folder, 'refit'))).toBe(false);
  }, 180_000);

  it('can be repeated later, and what was judged be written after all', async () => {
    const folder = temporaryFolder();
    const judged = await run({ refit: false }, folder);
    const later = await run({ mode: 'resume' }, folder);
    expect(later.bytes).toEqual((await runOnAll()).bytes);
    const back = await run({ mode: 'resume', refit: false }, folder);
    expect(back.bytes).toEqual(judged.bytes);
    expect(back.result.notes.join()).not.toContain('once more');
  }, 180_000);

  it('is written with the calibration that the weights before got', async () => {
    using test = await openData(join(DIGITS, 'test.npz'));
    const own = { calibrate: 'temperature', validation: 0.4, test } as const;
    const { result, bytes, folder } = await run(own);
    const record = result.decision?.candidates[0]?.calibration;
    expect(record?.decision).toBe('take');
    const [scale = 1] = record?.scale ?? [];
    expect(scale).not.toBe(1);
    const all = await runOnAll();
    const head = (file = Buffer.alloc(0)) => readOnnx(file).weights.get('fc2.weight') ?? [];
    const [plain, scaled] = [head(all.bytes), head(bytes)];
    expect(scaled).toHaveLength(plain.length);
    for (const [i, value] of scaled.entries()) expect(value).toBeCloseTo(scale * (plain[i] ?? 0), 6);
    using model = await open(join(folder, 'tuned.onnx'));
    const { metrics } = await evaluate(model, test);
    expect(metrics.confusion).toEqual(result.refit?.test?.confusion);
    expect(metrics.logLoss).toBeCloseTo(result.refit?.test?.logLoss ?? 0, 5);
    expect(metrics.logLoss).not.toBeCloseTo(all.result.arms[0]?.judged?.logLoss ?? 0, 3);
  }, 180_000);

  it('of several labels is repeated, too', async () => {
    const of = async (more: Partial<TrainOptions>, judge?: string) => {
      using model = await open(join(LABELS, 'cnn.onnx'));
      using data = await openData(join(LABELS, 'train.npz'));
      using other = await openData(join(LABELS, 'test.npz'));
      const folder = temporaryFolder();
      const sets = judge === undefined ? {} : { [judge]: other };
      const result = await train(model, { ...SMALL, epochs: 4, ...more, ...sets, data, folder });
      await result.write(join(folder, 't.onnx'), { anyway: true });
      return { result, bytes: readFileSync(join(folder, 't.onnx')) };
    };
    const { result, bytes } = await of({}, 'test');
    const all = await of({}, 'validation');
    expect(result.refit?.file).toMatch(/^refit/);
    expect(bytes).toEqual(all.bytes);
    expect(result.refit?.test?.macroF1).toBe(all.result.arms[0]?.judged?.macroF1);
    await expect(of({ refit: true, threshold: 'tune' })).rejects.toThrow(/`threshold: "tune"` needs samples/);
  }, 180_000);

  it('of several losses is repeated alone', async () => {
    const names = new Set<string>();
    const onProgress: TrainOptions['onProgress'] = ({ arm }) => void names.add(arm);
    const { result } = await run({ method: 'auto', validation: 0.4, onProgress });
    const again = [...names].filter((name) => name.endsWith('all samples'));
    expect(again).toEqual(result.decision?.taken ? [`${result.decision.taken.arm}, all samples`] : []);
    expect(names.size).toBeGreaterThan(2);
  }, 180_000);
});

describe('a training on all samples', () => {
  it.each<[Partial<TrainOptions>, RegExp]>([
    [{ folds: 2 }, /with `folds` all samples are trained on/],
    [{ loss: 'ce' }, /held-out samples choose the epoch; it needs `select: "last"`/],
    [{ patience: 1, select: 'last' }, /held-out samples end the training/],
  ])('is refused where it has no meaning: %o', async (options, expected) => {
    await expect(run({ ...options, refit: true })).rejects.toThrow(expected);
    expect((await run({ ...options })).result.refit).toBeNull();
  });

  it('is refused beside data to judge by; with a loss it is made on request', async () => {
    await expect(runOnAll({ refit: true })).rejects.toThrow(/with `validation` all samples of `data` are trained on/);
    const own = { loss: 'ce', select: 'last' } as const;
    expect((await run(own)).result.refit).toBeNull();
    const { result } = await run({ ...own, refit: true, validation: 0.4 });
    expect(result.refit === null).toBe(result.decision?.taken === null);
  }, 180_000);
});

describe('what was trained on all samples failed', () => {
  const LABELS = Array.from({ length: 40 }, (_, i) => i % 4);
  const RIGHT = LABELS;
  const scored = (predicted: readonly number[]) =>
    Scored.of({
      labels: LABELS,
      probabilities: Float64Array.from(predicted.flatMap((own) => [0, 1, 2, 3].map((k) => (k === own ? 0.7 : 0.1)))),
      classes: 4,
    });
  /** Parts of a run that know what its states say of the held-out samples. */
  const partsOf = (known: Record<string, readonly number[]>): RunParts => {
    const validation = {};
    const request = { validation, trainCounts: [9, 9, 9, 9], goal: 'macro-f1', seed: 0, data: {} };
    const states = Object.entries(known).map(([name, own]) => [name === 'given' ? undefined : name, scored(own)]);
    return { request, known: new Map(states as [string, Scored][]) } as unknown as RunParts;
  };
  const failure = (refit: readonly number[]) => {
    const parts = partsOf({ given: RIGHT, judged: RIGHT, refit });
    return failureOf(parts, parts, { judged: 'judged', refit: 'refit', map: undefined });
  };

  it('where it takes all for one class, or is worse on what it knows', async () => {
    expect(await failure(RIGHT)).toBeUndefined();
    expect(await failure(LABELS.map(() => 2))).toBe('it takes every sample for class 2');
    const worse = RIGHT.map((own, i) => (i < 12 ? (own + 1) % 4 : own));
    expect(await failure(worse)).toMatch(/worse on the samples that were held out before/);
  });
});
