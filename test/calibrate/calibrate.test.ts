import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CalibrateOptions,
  type CalibrationReport,
  calibrate,
  type EvaluateResult,
  evaluate,
  open,
  openData,
} from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/calibrate');
const CLASSIFIERS = join(import.meta.dirname, '../../fixtures/classifiers');

const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as {
  readonly temperature: number;
  readonly logLoss: { readonly before: number; readonly after: number };
  readonly tau: number;
  readonly macroF1: { readonly before: number; readonly after: number };
  readonly normalised: readonly (readonly number[])[];
};

async function calibrated(
  name: string,
  options: CalibrateOptions = {},
): Promise<{ readonly report: CalibrationReport; readonly path: string }> {
  using model = await open(join(FOLDER, `${name}.onnx`));
  using data = await openData(join(FOLDER, 'validation.npz'));
  const made = await calibrate(model, data, options);
  const path = join(mkdtempSync(join(tmpdir(), 'lossgraft-calibrate-')), 'out.onnx');
  await made.write(path, { anyway: true });
  return { report: made.report, path };
}

async function judge(path: string, data = 'test.npz'): Promise<EvaluateResult['metrics']> {
  using model = await open(path);
  using opened = await openData(join(FOLDER, data));
  return (await evaluate(model, opened)).metrics;
}

/** How many bytes differ, of files of one size. */
function difference(path: string, other: string): number {
  const [a, b] = [readFileSync(path), readFileSync(other)];
  expect(a.length).toBe(b.length);
  return a.reduce((count, byte, i) => count + Number(byte !== b[i]), 0);
}

describe('calibrate', () => {
  it('raises macro-F1 of a table of 98, 1.5 and 0.5 % by 5 points on other samples, without training', async () => {
    const { report, path } = await calibrated('net');
    expect(report.decision.decision).toBe('take');
    expect(report.parameter).toBeCloseTo(expected.tau, 9);
    const [before, after] = [await judge(join(FOLDER, 'net.onnx')), await judge(path)];
    expect(before.macroF1).toBeCloseTo(expected.macroF1.before, 6);
    expect(after.macroF1).toBeCloseTo(expected.macroF1.after, 6);
    expect((after.macroF1 ?? 0) - (before.macroF1 ?? 1)).toBeGreaterThan(0.05);
    expect(report).toMatchObject({ into: 'tensors', names: [expect.stringMatching(/bias/)] });
    expect(difference(path, join(FOLDER, 'net.onnx'))).toBeLessThanOrEqual(12);
  });

  it('says what it does to other samples than those that it was fitted on', async () => {
    const { report, path } = await calibrated('net', { method: 'biases' });
    const fitted = await judge(path, 'validation.npz');
    expect(report.before.macroF1).toBeLessThan(report.after.macroF1 ?? 0);
    // Of the samples that it was fitted on it would tell more.
    expect(report.after.macroF1).toBeLessThan(fitted.macroF1 ?? 0);
    expect(report.after.change?.metrics.macroF1?.low).toBeLessThan(report.after.change?.metrics.macroF1?.high ?? 0);
  });

  it('finds SciPy’s temperature, and changes no decision', async () => {
    const { report, path } = await calibrated('net', { method: 'temperature' });
    expect(report.parameter).toBeCloseTo(expected.temperature, 4);
    const metrics = await judge(path, 'validation.npz');
    expect(report.before.logLoss).toBeCloseTo(expected.logLoss.before, 6);
    expect(metrics.logLoss).toBeCloseTo(expected.logLoss.after, 6);
    expect(metrics.confusion).toEqual(report.before.confusion);
    expect(report.names).toHaveLength(2);
  });

  it('normalises weights as PyTorch does', async () => {
    const { path } = await calibrated('net', { method: 'tau-norm', tau: 0.7 });
    const session = await openSession(path);
    using data = await openData(join(FOLDER, 'test.npz'));
    const x = await data.columns.get('x')?.read(0, 20);
    if (!x) throw new Error('fixtures');
    const { logits } = await session.run({ x });
    await session.close();
    for (const [i, value] of expected.normalised.flat().entries())
      expect(Number(logits?.data[i])).toBeCloseTo(value, 4);
  });

  it('puts nodes behind scores that have no bias, which give the same as a bias would', async () => {
    const { report, path } = await calibrated('unbiased', { tau: 0.5 });
    expect(report).toMatchObject({ into: 'nodes' });
    expect(report.names).toEqual([expect.stringContaining('Add')]);
    const [before, after] = await Promise.all([judge(join(FOLDER, 'unbiased.onnx')), judge(path)]);
    expect(after.macroF1).not.toBe(before.macroF1);
    using model = await open(path);
    using data = await openData(join(FOLDER, 'validation.npz'));
    const again = await calibrate(model, data, { tau: 0, folds: 2 });
    expect(again.report.notes.join()).toMatch(/By macro-F1, .* the data cannot show a difference/);
    using plain = await open(join(FOLDER, 'unbiased.onnx'));
    const { report: untouched } = await calibrate(plain, data, { tau: 0.5, folds: 2 });
    expect(again.report.before.accuracy).toBeCloseTo(untouched.after.accuracy, 2);
  });

  it.each<[CalibrateOptions, 'take' | 'keep', RegExp]>([
    [{}, 'take', /changed by \+25\.\d points, better with a probability of 100 %/],
    [{ method: 'temperature' }, 'take', /^log loss changed by −0\.\d+ on samples it was not fitted on/],
    [{ method: 'biases', goal: 'g-mean' }, 'take', /^G-mean changed by \+/],
    [{ tau: 0 }, 'keep', /and 80 % are asked for$/],
    [{ method: 'temperature', folds: 2 }, 'take', /log loss/],
    [{ method: 'tau-norm' }, 'keep', /80 % are asked for/],
    // Fitted to accuracy nothing changes; a large τ takes all samples for the rarest class.
    [{ tau: 9 }, 'keep', /takes every sample for class 2|accuracy fell from/],
    [{ goal: 'accuracy', tau: 0.1 }, 'take', /^accuracy changed by \+/],
  ])('%j is held against the model as it is: %s', async (options, decision, why) => {
    using model = await open(join(FOLDER, 'net.onnx'));
    using data = await openData(join(FOLDER, 'validation.npz'));
    const { report, write } = await calibrate(model, data, options);
    expect(report.decision).toEqual({ decision, why: expect.stringMatching(why) });
    const path = join(mkdtempSync(join(tmpdir(), 'lossgraft-calibrate-')), 'out.onnx');
    if (decision === 'take') await write(path);
    else await expect(write(path)).rejects.toMatchObject({ code: 'not-better' });
    expect(existsSync(path)).toBe(decision === 'take');
  });

  it('finds decisions that cost less', async () => {
    const costs = [
      [0, 1, 1],
      [20, 0, 20],
      [50, 50, 0],
    ];
    const { report } = await calibrated('net', { method: 'biases', goal: 'cost', costs });
    expect(report.after.cost).toBeLessThan(report.before.cost ?? 0);
    expect(report.after.change?.metrics.cost?.high).toBeLessThan(0);
  });

  it('moves the threshold of one score behind a sigmoid', async () => {
    using model = await open(join(CLASSIFIERS, 'logit.onnx'));
    using data = await openData(join(CLASSIFIERS, 'binary.npz'));
    const made = await calibrate(model, data, { method: 'biases', goal: 'balanced' });
    const path = join(mkdtempSync(join(tmpdir(), 'lossgraft-calibrate-')), 'out.onnx');
    await made.write(path, { anyway: true });
    using out = await open(path);
    const { metrics } = await evaluate(out, data);
    expect(metrics.balancedAccuracy).toBeGreaterThanOrEqual(made.report.before.balancedAccuracy);
    const [a = 0, b = 0] = made.report.offset;
    expect(Math.abs(b - a)).toBeGreaterThan(0);
  });

  it('takes class counts by name', async () => {
    const classNames = ['ant', 'bee', 'wasp'];
    const byName = await calibrated('net', { classNames, classCounts: { wasp: 5, ant: 200, bee: 40 } });
    const { report } = await calibrated('net', { classNames, classCounts: [200, 40, 5] });
    expect(byName.report.offset).toEqual(report.offset);
    const other = await calibrated('net', { classNames, classCounts: [5, 40, 200] });
    expect(other.report.offset).not.toEqual(report.offset);
  });

  it.each<[CalibrateOptions]>([
    [{ method: 'temperature', tau: 1 }],
    [{ method: 'temperature', goal: 'mcc' }],
    [{ goal: 'cost' }],
    [{ method: 'tau-norm', classCounts: [1, 2, 3] }],
    [{ classCounts: [1, 2] }],
    [{ folds: 1 }],
  ])('refuses %j', async (options) => {
    await expect(calibrated('net', options)).rejects.toMatchObject({ code: 'option-range' });
  });

  it.each(['forest', 'svc', 'bayes'])('moves the thresholds of %s', async (name) => {
    using model = await open(join(CLASSIFIERS, `${name}.onnx`));
    using data = await openData(join(CLASSIFIERS, 'data.csv'));
    const { report } = await calibrate(model, data, { method: 'biases' });
    expect(report).toMatchObject({ into: 'nodes', areProbabilities: name !== 'svc' });
  });

  it('refuses scores of two classes that are the other way round than the labels, which evaluate turns', async () => {
    const { predicted, macroF1 } = JSON.parse(readFileSync(join(CLASSIFIERS, 'svc-two.json'), 'utf8'));
    using model = await open(join(CLASSIFIERS, 'svc-two.onnx'));
    using data = await openData(join(CLASSIFIERS, 'binary.npz'));
    const { metrics, perSample, notes } = await evaluate(model, data);
    expect(Array.from(perSample.predicted)).toEqual(predicted);
    expect(metrics.macroF1).toBeCloseTo(macroF1, 12);
    expect(notes.join()).toMatch(/are the opposite of the labels that the model itself gives/);
    await expect(calibrate(model, data)).rejects.toMatchObject({ code: 'not-calibrated' });
  });
});
