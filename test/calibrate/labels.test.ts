import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fitLabels, type LabelSample, labelledBy } from '../../src/calibration/labelFit.ts';
import {
  type CalibrateOptions,
  calibrate,
  evaluate,
  fromTensors,
  open,
  openData,
  type Tensor,
} from '../../src/index.ts';
import { CLASS_METRICS, judged, METRICS } from '../../src/metrics/metrics.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDER = join(ROOT, 'fixtures/multiLabel');

/** See fixtures/multiLabel/calibrate.py. */
const facts: {
  readonly logits: readonly number[][];
  readonly labels: readonly number[][];
  readonly temperature: readonly { readonly temperature: number; readonly loss: number }[];
  readonly f1: { readonly best: readonly number[]; readonly given: readonly number[] };
  readonly balanced: { readonly best: readonly number[]; readonly given: readonly number[] };
  readonly adjusted: number;
} = JSON.parse(readFileSync(join(FOLDER, 'calibrate.json'), 'utf8'));

const sample: LabelSample = {
  logits: Float64Array.from(facts.logits.flat()),
  hot: Uint8Array.from(facts.labels.flat()),
  classes: 4,
  thresholds: [0.5, 0.5, 0.5, 0.5],
};
const total = facts.labels.length;
const counts = [0, 1, 2, 3].map((k) => facts.labels.reduce((sum, row) => sum + (row[k] ?? 0), 0));
const plan = { goal: 'macroF1', counts, total } as const;

function figures(map: Parameters<typeof labelledBy>[1], name: 'f1', of = sample): number[] {
  const all = judged(labelledBy(of, map));
  return [0, 1, 2, 3].map((k) => CLASS_METRICS[name].of(all, k) ?? Number.NaN);
}

describe('a map of each label', () => {
  it('has SciPy’s temperatures', () => {
    const { scale, offset } = fitLabels(sample, { ...plan, method: 'temperature' });
    for (const [k, { temperature }] of facts.temperature.entries())
      expect(1 / (scale[k] ?? 0)).toBeCloseTo(temperature, 5);
    expect([...offset]).toEqual([0, 0, 0, 0]);
    const mean = facts.temperature.reduce((sum, { loss }) => sum + loss / 4, 0);
    expect(METRICS.logLoss.of(judged(labelledBy(sample, { scale, offset })))).toBeCloseTo(mean, 9);
  });

  it('reaches the highest F1 that scikit-learn finds at any threshold', () => {
    const map = fitLabels(sample, { ...plan, method: 'biases' });
    for (const [k, best] of facts.f1.best.entries()) expect(figures(map, 'f1')[k]).toBeCloseTo(best, 12);
    expect(facts.f1.best.some((best, k) => best > (facts.f1.given[k] ?? 0) + 0.05)).toBe(true);
  });

  it('and the highest balanced accuracy', () => {
    const map = fitLabels(sample, { ...plan, method: 'biases', goal: 'balancedAccuracy' });
    const mean = facts.balanced.best.reduce((sum, best) => sum + best / 4, 0);
    expect(METRICS.balancedAccuracy.of(judged(labelledBy(sample, map)))).toBeCloseTo(mean, 12);
  });

  it('adjusts logits by the odds of the labels', () => {
    const map = fitLabels(sample, { ...plan, method: 'logit-adjustment', tau: 0.5 });
    expect(figures(map, 'f1').reduce((sum, f1) => sum + f1 / 4, 0)).toBeCloseTo(facts.adjusted, 12);
    const free = fitLabels(sample, { ...plan, method: 'logit-adjustment' });
    const mean = figures(free, 'f1').reduce((sum, f1) => sum + f1 / 4, 0);
    expect(mean).toBeGreaterThanOrEqual(facts.adjusted);
  });

  it('moves to the thresholds that the file records', () => {
    const own = { ...sample, thresholds: [0.3, 0.6, 0.5, 0.8] };
    const map = fitLabels(own, { ...plan, method: 'biases' });
    for (const [k, best] of facts.f1.best.entries()) expect(figures(map, 'f1', own)[k]).toBeCloseTo(best, 12);
  });

  it('leaves a label alone that no sample has, or all', () => {
    const hot = sample.hot.map((has, i) => (i % 4 === 0 ? 0 : i % 4 === 1 ? 1 : has));
    for (const method of ['biases', 'temperature'] as const) {
      const { scale, offset } = fitLabels({ ...sample, hot }, { ...plan, method });
      expect([...scale.slice(0, 2), ...offset.slice(0, 2)]).toEqual([1, 1, 0, 0]);
    }
  });
});

async function calibrated(name: string, options: CalibrateOptions = {}) {
  using model = await open(join(FOLDER, name));
  using data = await openData(join(FOLDER, 'train.npz'));
  const made = await calibrate(model, data, options);
  const path = join(temporaryFolder(), 'out.onnx');
  await made.write(path);
  return { report: made.report, path };
}

async function judge(path: string) {
  using model = await open(path);
  using data = await openData(join(FOLDER, 'test.npz'));
  return (await evaluate(model, data, { task: 'multi-label' })).metrics;
}

describe('a multi-label model', () => {
  it.each(['cnn.onnx', 'cnn-sigmoid.onnx'])('%s gets better on held-out data, without training', async (name) => {
    const before = await judge(join(FOLDER, name));
    const { report, path } = await calibrated(name);
    const after = await judge(path);
    expect(report.decision.decision).toBe('take');
    expect(report).toMatchObject({
      method: 'logit-adjustment',
      into: 'tensors',
      names: [expect.stringMatching(/head\.bias$/)],
    });
    expect((after.macroF1 ?? 0) - (before.macroF1 ?? 1)).toBeGreaterThan(0.1);
    expect((after.microF1 ?? 0) - (before.microF1 ?? 1)).toBeGreaterThan(0.03);
    const bytes = [path, join(FOLDER, name)].map((each) => readFileSync(each));
    const differing = bytes[0]?.filter((byte, i) => byte !== bytes[1]?.[i]).length ?? 0;
    expect(bytes[0]).toHaveLength(bytes[1]?.length ?? 0);
    expect(differing).toBeGreaterThan(0);
    expect(differing).toBeLessThanOrEqual(4 * 14);
  });

  it('has better probabilities by temperatures, which change no prediction', async () => {
    const [{ path }, before] = [
      await calibrated('cnn.onnx', { method: 'temperature' }),
      await judge(join(FOLDER, 'cnn.onnx')),
    ];
    const after = await judge(path);
    expect(after.logLoss).toBeLessThan(before.logLoss ?? 0);
    expect(after.macroF1).toBeCloseTo(before.macroF1 ?? 0, 6);
  });

  it.each<[CalibrateOptions, RegExp]>([
    [{ method: 'tau-norm' }, /biases, temperature or logit-adjustment for a multi-label model/],
    [{ goal: 'g-mean' }, /macro-f1 or balanced for a multi-label model/],
    [{ tau: 0.5, method: 'biases' }, /no τ/],
    [{ classCounts: Array<number>(14).fill(9) }, /the data tell how many samples have each label/],
    [{ method: 'temperature', goal: 'macro-f1' }, /fitted for the log loss/],
  ])('%o is refused', async (options, message) => {
    await expect(calibrated('cnn.onnx', options)).rejects.toThrow(message);
  });

  it('is not written where nothing can be told', async () => {
    using model = await open(join(FOLDER, 'cnn.onnx'));
    using data = await openData(join(FOLDER, 'train.npz'));
    const some = await Promise.all(
      [...data.columns].map(async ([name, column]) => [name, await column.read(0, 12)] as [string, Tensor]),
    );
    const { report, write } = await calibrate(model, fromTensors(Object.fromEntries(some)));
    expect(report.decision.decision).not.toBe('take');
    await expect(write(join(temporaryFolder(), 'out.onnx'))).rejects.toMatchObject({ code: 'not-better' });
  });
});
