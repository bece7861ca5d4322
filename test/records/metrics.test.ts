import { describe, expect, it } from 'vitest';
import { longTailCounts, longTailRows } from '../../src/data/longTail.ts';
import { groupsOf as frequencyGroups } from '../../src/metrics/groups.ts';
import { argmaxRows } from '../../src/metrics/scored.ts';
import { confusionMatrix, detailedMetricsOf, MAX_CONFUSION, metricsOf } from '../../src/records/metrics.ts';
import { groupsOf, stepsIn } from '../../src/trainer/groups.ts';
import { scoredOf } from '../support/scored.ts';

describe('metrics', () => {
  // sklearn 1.9.1: balanced_accuracy_score(y, p) = 0.5833333333333334, accuracy_score = 0.625, recall_score(average=None) = 0.75, 0.5, 0.5.
  const labels = [0, 0, 0, 0, 1, 1, 2, 2];
  const predictions = [0, 0, 0, 1, 1, 2, 0, 2];

  it('as scikit-learn’s', () => {
    const found = metricsOf(scoredOf(confusionMatrix(labels, predictions, 3)), { trainCounts: [101, 100, 19] });
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
    const { many, medium, few } = metricsOf(scoredOf(confusionMatrix(labels, predictions, 3)), {
      trainCounts: [101, 100, 19],
    });
    expect([many, medium, few]).toEqual([0.75, 0.5, 0.5]);
    const all = metricsOf(scoredOf(confusionMatrix(labels, predictions, 3)), { trainCounts: [20, 20, 20] });
    expect([all.many, all.few]).toEqual([null, null]);
    expect(all.medium).toBeCloseTo(all.balancedAccuracy, 12);
  });

  it('a class without samples has no recall and does not count', () => {
    const { recall, balancedAccuracy } = metricsOf(scoredOf(confusionMatrix([0, 0], [0, 0], 2)), {
      trainCounts: [1, 1],
    });
    expect(recall).toEqual([1, null]);
    expect(balancedAccuracy).toBe(1);
  });

  it('argmax takes the first of equal scores', () => {
    expect([...argmaxRows([1, 2, 2, 5, 4, 5], 2, 3)]).toEqual([1, 0]);
  });
});

describe('records', () => {
  const many = MAX_CONFUSION + 1;
  const large = scoredOf(
    Array.from({ length: many }, (_, k) => Array.from({ length: many }, (__, j) => (j === k ? 2 : 0))),
  );

  it('of an epoch hold metrics by class up to so many classes, and in the end always', () => {
    const trainCounts = Array<number>(many).fill(30);
    const epoch = metricsOf(large, { trainCounts });
    expect([epoch.classes, epoch.confusion]).toEqual([null, null]);
    expect(epoch.recall).toHaveLength(many);
    const end = detailedMetricsOf(large, { trainCounts, seed: 0 });
    expect(end.classes?.f1).toEqual(Array(many).fill(1));
    expect(metricsOf(scoredOf([[2]]), { trainCounts: [2] }).classes?.precision).toEqual([1]);
    // An epoch of a thousand classes: recalls and the most frequent mistakes.
    expect(JSON.stringify(epoch).length).toBeLessThan(20 * many + 4000);
  });

  it('have intervals of what is defined, and differences from the model as it was given', () => {
    const [before, after] = [
      scoredOf([
        [15, 5],
        [10, 10],
      ]),
      scoredOf([
        [15, 5],
        [2, 18],
      ]),
    ];
    const how = { trainCounts: [90, 10], seed: 3 };
    const given = detailedMetricsOf(before, how);
    expect(given.change).toBeNull();
    expect(Object.keys(given.intervals)).not.toContain('cost');
    const costs = [
      [0, 1],
      [5, 0],
    ];
    const found = detailedMetricsOf(after, { ...how, before, costs });
    expect(found.cost).toBeCloseTo((5 + 2 * 5) / 40, 12);
    expect(found.change?.metrics.balancedAccuracy?.difference).toBeCloseTo(0.2, 12);
    expect(found.change?.accuracy).toMatchObject({ onlyFirst: 0, onlySecond: 8 });
    expect(found.rarest).toEqual({ class: 0, samples: 20 });
    expect(
      detailedMetricsOf(
        scoredOf([
          [5, 0, 0],
          [0, 0, 0],
          [1, 1, 1],
        ]),
        { trainCounts: [9, 9, 9], seed: 0 },
      ).rarest,
    ).toEqual({ class: 2, samples: 3 });
    expect(found.reliability.reduce((sum, { samples }) => sum + samples, 0)).toBe(40);
  });
});

describe('groups of classes', () => {
  it('are those of Liu et al. where these tell classes apart', () => {
    expect(frequencyGroups([101, 100, 20, 19])).toMatchObject({
      by: 'counts',
      of: ['many', 'medium', 'medium', 'few'],
    });
  });

  it('are by share where all have many samples', () => {
    const table = frequencyGroups([9800, 150, 50]);
    expect(table).toMatchObject({ by: 'shares', of: ['many', 'few', 'few'] });
    expect(table.describe.few).toBe('fewer than 334 training samples, a tenth of an even share');
    // Long-tailed CIFAR-10 at ratio 10: half and a tenth of 2043.
    expect(frequencyGroups([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]).of.join(' ')).toBe(
      'many many many many many many many medium medium medium',
    );
  });

  it('are by share where all have few', () => {
    expect(frequencyGroups([18, 1, 1, 1])).toMatchObject({ by: 'shares', of: ['many', 'medium', 'medium', 'medium'] });
  });

  it('is one where classes are even', () => {
    expect(frequencyGroups([500, 480, 510])).toMatchObject({ by: 'counts', of: ['many', 'many', 'many'] });
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
