import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CalibrateOptions, calibrate, evaluate, open, openData } from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { pickRows } from '../../src/tensorRows.ts';
import { temporaryFolder } from '../support/cli.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/calibrate');

type Rows = readonly (readonly number[])[];

/** By fixtures/calibrate/others.py, with scikit-learn, NumPy and PyTorch. */
const expected = JSON.parse(readFileSync(join(FOLDER, 'others.json'), 'utf8')) as {
  readonly tau: number;
  readonly rows: readonly number[];
  readonly conv: { readonly adjusted: Rows; readonly normalised: Rows };
  readonly quantised: { readonly adjusted: Rows };
} & Record<
  'forest' | 'boosting' | 'bayes',
  {
    readonly adjusted: Rows;
    readonly labels: readonly string[];
    readonly before: readonly string[];
    readonly cooled: Rows;
  }
>;

async function calibrated(name: string, options: CalibrateOptions) {
  using model = await open(join(FOLDER, `${name}.onnx`));
  using data = await openData(join(FOLDER, 'validation.npz'));
  const { report, write } = await calibrate(model, data, options);
  const path = join(temporaryFolder(), 'out.onnx');
  await write(path, { anyway: true });
  return { report, path };
}

/** The outputs of a file, of the rows that are expected; of dictionaries what goes into them. */
async function outputsOf(path: string, names: readonly string[]): Promise<readonly (Tensor | undefined)[]> {
  const session = await openSession(path);
  using data = await openData(join(FOLDER, 'test.npz'));
  const x = await data.columns.get('x')?.read(0, 5000);
  if (!x) throw new Error('fixtures');
  const results = await session.run({ x: pickRows(x, Uint32Array.from(expected.rows)) }, [...names]);
  await session.close();
  return names.map((name) => results[name]);
}

function expectRows(found: Tensor | undefined, rows: Rows, digits: number): void {
  const numbers = Array.from(found?.data ?? [], Number);
  expect(numbers).toHaveLength(rows.flat().length);
  for (const [i, value] of rows.flat().entries()) expect(numbers[i]).toBeCloseTo(value, digits);
}

describe.each(['forest', 'boosting', 'bayes'] as const)('%s gives labels and probabilities', (name) => {
  const { adjusted, labels, before } = expected[name];
  const label = name === 'bayes' ? 'label' : 'output_label';

  it('its log probabilities are adjusted, and its labels follow', async () => {
    const { report, path } = await calibrated(name, { tau: expected.tau });
    expect(report).toMatchObject({ into: 'nodes', areProbabilities: true });
    const [found] = await outputsOf(path, [label]);
    expect(Array.from(found?.data ?? [], String)).toEqual(labels);
    // The labels before are others, so that it could be told.
    expect(labels).not.toEqual(before);
    using out = await open(path);
    using data = await openData(join(FOLDER, 'validation.npz'));
    const { metrics } = await evaluate(out, data);
    expect(metrics.macroF1).toBeCloseTo(report.after.macroF1 ?? 0, 9);
    const again = await calibrate(out, data, { tau: 0, folds: 2 });
    expect(again.report.before.logLoss).toBeCloseTo(metrics.logLoss ?? 0, 6);
  });

  it('its probabilities are NumPy’s', async () => {
    const { path } = await calibrated(name, { tau: expected.tau });
    using out = await open(path);
    using data = await openData(join(FOLDER, 'test.npz'));
    const { perSample } = await evaluate(out, data);
    for (const [i, row] of expected.rows.entries())
      expect(perSample.confidence[row]).toBeCloseTo(Math.max(...(adjusted[i] ?? [])), 5);
  });
});

it('the temperature of a forest makes its probabilities as sure as they are right', async () => {
  const { report, path } = await calibrated('forest', { method: 'temperature' });
  expect(report.decision.decision).toBe('take');
  expect(report.after.logLoss).toBeLessThan(report.before.logLoss ?? 0);
  const [found] = await outputsOf(path, ['output_label']);
  expect(Array.from(found?.data ?? [], String)).toEqual(expected.forest.before);
  // A class of probability 0 is made possible, and no logarithm of 0 is.
  expect(report.after.logLoss).toBeLessThan(0.1);
});

describe('a head that is a 1×1 convolution, averaged over positions', () => {
  it('takes an offset into its bias, as PyTorch adds it', async () => {
    const { report, path } = await calibrated('conv', { tau: expected.tau });
    expect(report).toMatchObject({ into: 'tensors', names: ['head.bias'] });
    const [logits] = await outputsOf(path, ['logits']);
    expectRows(logits, expected.conv.adjusted, 4);
  });

  it('takes a factor into its weights, as PyTorch normalises them', async () => {
    const { report, path } = await calibrated('conv', { method: 'tau-norm', tau: expected.tau });
    expect(report).toMatchObject({ into: 'tensors', names: ['head.weight', 'head.bias'] });
    const [logits] = await outputsOf(path, ['logits']);
    expectRows(logits, expected.conv.normalised, 4);
  });
});

it('quantised weights stay, and one Add stands behind them', async () => {
  const { report, path } = await calibrated('quantised', { tau: expected.tau });
  expect(report).toMatchObject({ into: 'nodes', areProbabilities: false });
  expect(report.names).toEqual([expect.stringContaining('Add')]);
  const [logits] = await outputsOf(path, ['logits']);
  expectRows(logits, expected.quantised.adjusted, 4);
  await expect(calibrated('quantised', { method: 'tau-norm' })).rejects.toMatchObject({ code: 'no-linear-head' });
});
