import { describe, expect, it } from 'vitest';
import { longTailCounts, longTailRows } from '../../src/data/longTail.ts';
import { argmaxRows, confusionMatrix, metricsOf } from '../../src/records/metrics.ts';
import { groupsOf, stepsIn } from '../../src/trainer/groups.ts';

describe('metrics', () => {
  // sklearn 1.9.1: balanced_accuracy_score(y, p) = 0.5833333333333334, accuracy_score = 0.625, recall_score(average=None) = 0.75, 0.5, 0.5.
  const labels = [0, 0, 0, 0, 1, 1, 2, 2];
  const predictions = [0, 0, 0, 1, 1, 2, 0, 2];

  it('as scikit-learn’s', () => {
    const found = metricsOf(confusionMatrix(labels, predictions, 3), [101, 100, 19]);
    expect(found.balancedAccuracy).toBeCloseTo(0.5833333333333334, 12);
    expect(found.accuracy).toBeCloseTo(0.625, 12);
    expect(found.recall).toEqual([0.75, 0.5, 0.5]);
    expect(found.confusion).toEqual([
      [3, 1, 0],
      [0, 1, 1],
      [1, 0, 1],
    ]);
  });

  it('many above 100 training samples, few below 20', () => {
    const { many, medium, few } = metricsOf(confusionMatrix(labels, predictions, 3), [101, 100, 19]);
    expect([many, medium, few]).toEqual([0.75, 0.5, 0.5]);
    const all = metricsOf(confusionMatrix(labels, predictions, 3), [20, 20, 20]);
    expect([all.many, all.few]).toEqual([null, null]);
    expect(all.medium).toBeCloseTo(all.balancedAccuracy, 12);
  });

  it('a class without samples has no recall and does not count', () => {
    const { recall, balancedAccuracy } = metricsOf(confusionMatrix([0, 0], [0, 0], 2), [1, 1]);
    expect(recall).toEqual([1, null]);
    expect(balancedAccuracy).toBe(1);
  });

  it('argmax takes the first of equal scores', () => {
    expect([...argmaxRows([1, 2, 2, 5, 4, 5], 2, 3)]).toEqual([1, 0]);
  });
});

describe('the long tail', () => {
  it('of Fashion-MNIST at ratio 100 has the counts of the paper’s rule', () => {
    const counts = [6000, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60];
    expect(longTailCounts(6000, 10, 100, 'exp')).toEqual(counts);
    expect(longTailCounts(5000, 10, 100, 'step')).toEqual([...Array(5).fill(5000), ...Array(5).fill(50)]);
  });

  it('is cut from balanced data by seed', () => {
    const labels = Array.from({ length: 600 }, (_, i) => i % 3);
    const rows = longTailRows(labels, { ratio: 100, type: 'exp', seed: 3 });
    expect([0, 1, 2].map((k) => [...rows].filter((row) => labels[row] === k).length)).toEqual([200, 20, 2]);
    expect(new Set(rows).size).toBe(rows.length);
    expect(longTailRows(labels, { ratio: 100, type: 'exp', seed: 3 })).toEqual(rows);
    expect(longTailRows(labels, { ratio: 100, type: 'exp', seed: 4 })).not.toEqual(rows);
  });

  it('refuses ratios below 1, and those that empty a class', () => {
    expect(() => longTailCounts(50, 10, 0.5, 'exp')).toThrow(/1 or more/);
    expect(() => longTailCounts(50, 10, 100, 'exp')).toThrow(/class 8 would have none/);
  });
});

describe('runs of an epoch', () => {
  it('hold every sample once, the last batch on its own', () => {
    const groups = groupsOf(107, { batchSize: 10, stepsPerRun: 4, keepRest: true });
    expect(groups.map(({ step, steps, start, batch }) => [step, steps, start, batch])).toEqual([
      [0, 4, 0, 10],
      [4, 4, 40, 10],
      [8, 2, 80, 10],
      [10, 1, 100, 7],
    ]);
    expect(stepsIn(groups)).toBe(11);
    expect(stepsIn(groupsOf(107, { batchSize: 10, stepsPerRun: 4, keepRest: false }))).toBe(10);
  });
});
