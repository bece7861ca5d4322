import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  type EvaluateOptions,
  type EvaluateResult,
  evaluate,
  fromTensors,
  LossgraftError,
  open,
  openData,
} from '../../src/index.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/classifiers');
const HEADS = join(import.meta.dirname, '../../fixtures/heads');
const DIGITS = join(import.meta.dirname, '../../fixtures/digits');

interface Expected {
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly macroF1: number;
  readonly mcc: number;
  readonly prAuc: number;
  readonly rocAuc: number;
  readonly logLoss: number;
  readonly recall: readonly number[];
  readonly precision: readonly number[];
  readonly f1: readonly number[];
  readonly confusion: readonly (readonly number[])[];
}

const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Record<string, Expected> & {
  readonly mcnemar: { readonly onlyFirst: number; readonly onlySecond: number; readonly p: number };
};

async function judge(name: string, data: string, options: EvaluateOptions = {}): Promise<EvaluateResult> {
  using model = await open(join(FOLDER, `${name}.onnx`));
  using opened = await openData(join(FOLDER, data));
  return await evaluate(model, opened, options);
}

async function refusal(work: () => Promise<unknown>): Promise<LossgraftError> {
  const error = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof LossgraftError) return error;
  throw new Error(`no refusal: ${error}`);
}

describe('evaluate', () => {
  it.each([
    ['forest', 'data.csv'],
    ['bayes', 'data.npz'],
    ['svc', 'data.csv'],
    ['logit', 'binary.npz'],
  ])('gives scikit-learn’s metrics of %s', async (name, data) => {
    const { metrics, samples } = await judge(name, data);
    const want = expected[name];
    expect(samples).toBe(90);
    // Probabilities come as float32 from ONNX Runtime, which Python read as text and as numbers.
    for (const key of ['accuracy', 'balancedAccuracy', 'macroF1', 'mcc', 'prAuc', 'rocAuc', 'logLoss'] as const)
      expect(metrics[key], key).toBeCloseTo(want?.[key] ?? Number.NaN, 6);
    expect(metrics.confusion).toEqual(want?.confusion);
    for (const [k, f1] of (want?.f1 ?? []).entries()) {
      expect(metrics.classes?.f1[k]).toBeCloseTo(f1, 9);
      expect(metrics.recall[k]).toBeCloseTo(want?.recall[k] ?? Number.NaN, 9);
    }
  });

  it('has intervals, and the mistakes by class', async () => {
    const { metrics, mistakes, classNames, classCounts } = await judge('forest', 'data.csv');
    expect(metrics.intervals.macroF1?.low).toBeLessThan(metrics.macroF1 ?? 0);
    expect(metrics.intervals.macroF1?.high).toBeGreaterThan(metrics.macroF1 ?? 1);
    expect(classNames).toEqual(['ash', 'birch', 'cedar']);
    const [first] = mistakes;
    const counts = expected.forest?.confusion.flatMap((row, k) => row.filter((_, j) => j !== k)) ?? [];
    expect(first?.samples).toBe(Math.max(...counts));
    expect(classCounts.reduce((sum, count) => sum + count, 0)).toBe(90);
  });

  it('compares two models on the same samples, whose classes it matches by name', async () => {
    using other = await open(join(FOLDER, 'forest-other.onnx'));
    const { metrics, against, notes } = await judge('forest', 'data.csv', { against: other });
    expect(notes.join()).toContain('another order, cedar, birch, ash: matched by name');
    expect(against?.metrics.macroF1).toBeCloseTo(expected['forest-other']?.macroF1 ?? Number.NaN, 9);
    expect(against?.metrics.confusion).toEqual(expected['forest-other']?.confusion);
    const { onlyFirst, onlySecond, p } = expected.mcnemar;
    expect(metrics.change?.accuracy).toMatchObject({ onlyFirst, onlySecond });
    expect(metrics.change?.accuracy.p).toBeCloseTo(p, 9);
    const difference = metrics.change?.metrics.macroF1;
    expect(difference?.difference).toBeCloseTo((metrics.macroF1 ?? 0) - (against?.metrics.macroF1 ?? 0), 12);
  });

  it('tells no difference of a model and itself', async () => {
    using same = await open(join(FOLDER, 'forest.onnx'));
    const { metrics } = await judge('forest', 'data.csv', { against: same });
    expect(metrics.change?.metrics.macroF1).toMatchObject({ difference: 0, low: 0, high: 0, p: 1 });
    expect(metrics.change?.accuracy.p).toBe(1);
  });

  it('refuses to compare models of other classes', async () => {
    using digits = await open(join(DIGITS, 'model.onnx'));
    const error = await refusal(() => judge('forest', 'data.csv', { against: digits }));
    expect(error.code).toBe('other-classes');
  });

  it('judges what augment wrote as the model it was made from', async () => {
    using model = await open(join(DIGITS, 'model.onnx'));
    using data = await openData(join(DIGITS, 'test.npz'));
    const bytes = (await augment(model, { loss: 'ib', classCounts: Array(10).fill(40) })).bytes();
    using augmented = await open(bytes);
    const [plain, grafted] = [await evaluate(model, data), await evaluate(augmented, data)];
    expect(grafted.metrics).toEqual(plain.metrics);
    expect(grafted.perSample).toEqual(plain.perSample);
  });

  it('does not depend on how batches divide the data', async () => {
    const whole = await judge('bayes', 'data.csv');
    const parts = await judge('bayes', 'data.csv', { batchSize: 7 });
    expect(parts.perSample.predicted).toEqual(whole.perSample.predicted);
    expect(parts.metrics.logLoss).toBeCloseTo(whole.metrics.logLoss ?? 0, 6);
  });

  it('says where the labels seem to be of another order', async () => {
    using model = await open(join(DIGITS, 'model.onnx'));
    using data = await openData(join(DIGITS, 'test.npz'));
    const [images, labels] = await Promise.all(
      ['images', 'labels'].map((name) => data.columns.get(name)?.read(0, 400)),
    );
    if (!images || !labels) throw new Error('fixtures');
    const turned = BigInt64Array.from(labels.data as BigInt64Array, (label) => (BigInt(label) + 1n) % 10n);
    const moved = fromTensors({ images, labels: { dtype: 'int64', dims: [400], data: turned } });
    const { notes } = await evaluate(model, moved);
    expect(notes.join()).toMatch(
      /THE LABELS SEEM WRONG, and so are all figures.*--classes 9,0,1,2|THE LABELS SEEM WRONG/,
    );
  });

  it.each([
    ['segmentation', 'segmentation-head'],
    ['multi_label', 'task-mismatch'],
    ['embedding', 'embedding'],
  ])('refuses %s, which is no classifier of exclusive classes', async (name, code) => {
    using model = await open(join(HEADS, `${name}.onnx`));
    const data = fromTensors({ labels: { dtype: 'int64', dims: [1], data: new BigInt64Array(1) } });
    expect((await refusal(() => evaluate(model, data))).code).toBe(code);
  });

  it('wants labels, and costs for all classes', async () => {
    using model = await open(join(FOLDER, 'forest.onnx'));
    const x = { dtype: 'float32', dims: [2, 4], data: new Float32Array(8) } as const;
    expect((await refusal(() => evaluate(model, fromTensors({ X: x })))).message).toMatch(/labels/);
    const costs = [
      [0, 1],
      [1, 0],
    ];
    expect((await refusal(() => judge('forest', 'data.csv', { costs }))).code).toBe('option-range');
  });
});
