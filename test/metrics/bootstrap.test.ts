import { describe, expect, it } from 'vitest';
import { random } from '../../src/data/random.ts';
import { compareModels, intervalsOf, MAX_RANK_VISITS, quantile } from '../../src/metrics/bootstrap.ts';
import { mcNemar } from '../../src/metrics/mcnemar.ts';
import { isOfTask, judged, METRICS, type MetricName } from '../../src/metrics/metrics.ts';
import { Scored } from '../../src/metrics/scored.ts';

/** Labels with these counts, each class predicted right with its recall, else as the next class; probabilities are noisy. */
function sample(counts: readonly number[], recalls: readonly number[], seed: number): Scored {
  const { next } = random(seed, 99);
  const uniform = (): number => next() / 2 ** 32;
  const labels = counts.flatMap((n, k) => Array<number>(n).fill(k));
  const probabilities = labels.flatMap((label) => {
    const k = uniform() < (recalls[label] ?? 0) ? label : (label + 1) % counts.length;
    const top = 0.5 + uniform() / 2.1;
    return counts.map((_, c) => (c === k ? top : (1 - top) / (counts.length - 1)));
  });
  return Scored.of({ labels, probabilities, classes: counts.length });
}

const ALL = (Object.keys(METRICS) as MetricName[]).filter((name) => isOfTask(name, 'exclusive'));

describe('intervals', () => {
  it('of recalls that are known: those of the normal approximation', () => {
    const [counts, recalls] = [
      [900, 300, 200],
      [0.9, 0.7, 0.6],
    ];
    const scored = sample(counts, recalls, 1);
    const value = METRICS.balancedAccuracy.of(judged(scored)) ?? 0;
    const { balancedAccuracy: found } = intervalsOf(scored, { metrics: ['balancedAccuracy'], draws: 4000 });
    const hits = counts.map((_, k) => scored.labels.filter((l, row) => l === k && scored.predicted[row] === k).length);
    const variance = counts.reduce((sum, n, k) => sum + (((hits[k] ?? 0) / n) * (1 - (hits[k] ?? 0) / n)) / n / 9, 0);
    const half = 1.96 * Math.sqrt(variance);
    expect(Math.abs((found?.low ?? 0) - (value - half))).toBeLessThan(half / 10);
    expect(Math.abs((found?.high ?? 0) - (value + half))).toBeLessThan(half / 10);
  });

  it('hold the figure itself, of every metric that is defined', () => {
    const scored = sample([60, 20, 8], [0.9, 0.6, 0.5], 2);
    const costs = [
      [0, 1, 2],
      [1, 0, 2],
      [9, 9, 0],
    ];
    const found = intervalsOf(scored, { metrics: ALL, draws: 300, costs });
    for (const name of ALL) {
      const value = METRICS[name].of(judged(scored, { costs })) ?? Number.NaN;
      const { low = Number.NaN, high = Number.NaN } = found[name] ?? {};
      expect(low, name).toBeLessThan(high);
      // A percentile interval of a calibration error lies above it: a draw's bins are noisier.
      if (name !== 'ece') expect(low <= value && value <= high, `${name}: ${low} ${value} ${high}`).toBe(true);
    }
    expect(intervalsOf(scored, { metrics: ['cost', 'mcc'], draws: 20 }).cost).toBeNull();
  });

  it('are the same for the same seed, on every machine', () => {
    const scored = sample([60, 20, 8], [0.9, 0.6, 0.5], 2);
    const [a, b, c] = [0, 0, 1].map((seed) => intervalsOf(scored, { metrics: ['macroF1'], draws: 200, seed }));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(a?.macroF1).toEqual({ low: expect.closeTo(0.5043886, 6), high: expect.closeTo(0.7527719, 6) });
  });

  it('keep the samples of each class: nothing varies where each class has one sample', () => {
    const scored = sample([1, 1, 1], [1, 1, 0], 3);
    expect(intervalsOf(scored, { metrics: ['accuracy'], draws: 50 }).accuracy).toEqual({ low: 2 / 3, high: 2 / 3 });
  });

  it('of ranks are left out where they would take too long', () => {
    const scored = sample([60, 20, 8], [0.9, 0.6, 0.5], 2);
    const draws = Math.ceil(MAX_RANK_VISITS / scored.size / 3) + 1;
    expect(intervalsOf(scored, { metrics: ['prAuc'], draws }).prAuc).toBeNull();
    expect(intervalsOf(scored, { metrics: ['prAuc'], draws: 50 }).prAuc).not.toBeNull();
  });
});

describe('two models on the same samples', () => {
  const [first, second] = [sample([200, 60, 30], [0.9, 0.5, 0.3], 4), sample([200, 60, 30], [0.9, 0.8, 0.7], 5)];

  it('that differ: the better one, with an interval beyond 0 and a small p', () => {
    const { macroF1, logLoss } = compareModels(first, second, { metrics: ['macroF1', 'logLoss'] }).differences;
    expect(macroF1?.difference).toBeCloseTo((macroF1?.second ?? 0) - (macroF1?.first ?? 0), 12);
    expect(macroF1).toMatchObject({ better: 1, p: expect.closeTo(0.002, 3) });
    expect(macroF1?.low).toBeGreaterThan(0.05);
    expect(logLoss?.better).toBeGreaterThan(0.97);
    expect(logLoss?.high, 'lower is better').toBeLessThan(0);
  });

  it('turned round: the other sign', () => {
    const options = { metrics: ['balancedAccuracy', 'prAuc', 'ece'] as const, draws: 200 };
    const [there, back] = [
      compareModels(first, second, options).differences,
      compareModels(second, first, options).differences,
    ];
    for (const name of options.metrics) {
      expect(back[name]?.difference).toBeCloseTo(-(there[name]?.difference ?? 0), 12);
      expect(back[name]?.low).toBeCloseTo(-(there[name]?.high ?? 0), 12);
      expect(back[name]?.better).toBeCloseTo(1 - (there[name]?.better ?? 0), 12);
      expect(back[name]?.p).toBe(there[name]?.p);
    }
  });

  it('that are one: no difference, p 1', () => {
    const same = { difference: 0, low: 0, high: 0, better: 0.5, p: 1 };
    expect(compareModels(first, first, { metrics: ['mcc'], draws: 50 }).differences.mcc).toMatchObject(same);
    expect(mcNemar(first, first)).toEqual({ onlyFirst: 0, onlySecond: 0, p: 1 });
  });

  it('p is as rare as it says where there is no difference', () => {
    const rare = Array.from({ length: 100 }, (_, i) => {
      const pair = [0, 1].map((side) => sample([60, 30], [0.8, 0.6], 1000 + 2 * i + side)) as [Scored, Scored];
      return compareModels(...pair, { metrics: ['balancedAccuracy'], draws: 200 }).differences.balancedAccuracy?.p ?? 0;
    }).filter((p) => p < 0.1).length;
    expect(rare).toBeLessThan(22);
  });

  it('the second has the intervals that it has alone', () => {
    const options = { metrics: ['macroF1', 'prAuc', 'ece'], draws: 100, seed: 4 } as const;
    expect(compareModels(first, second, options).intervals).toEqual(intervalsOf(second, options));
  });

  it('must be the same samples', () => {
    expect(() => compareModels(first, sample([200, 60, 31], [1, 1, 1], 6), { metrics: ['mcc'] })).toThrow(
      /labels differ/,
    );
  });

  it("McNemar's test counts what one alone has right", () => {
    const { onlyFirst, onlySecond, p } = mcNemar(first, second);
    const right = ({ labels, predicted }: Scored) => labels.filter((label, row) => label === predicted[row]).length;
    expect(onlySecond - onlyFirst).toBe(right(second) - right(first));
    expect(p).toBeLessThan(0.05);
  });
});

it('quantiles are linear between values', () => {
  expect([0, 0.1, 0.5, 1].map((share) => quantile([1, 2, 4], share))).toEqual([1, 1.2, 2, 4]);
});
