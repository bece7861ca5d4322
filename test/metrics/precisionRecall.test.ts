import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  bestThreshold,
  MAX_POINTS,
  operatingPoint,
  precisionRecallCurve,
  thresholdsOf,
} from '../../src/metrics/precisionRecall.ts';
import { Scored } from '../../src/metrics/scored.ts';
import { ROOT } from '../support/cli.ts';

interface Curve {
  readonly thresholds: readonly number[];
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly bestF1: number;
  readonly bestThreshold: number;
}

const read = (file: string) => JSON.parse(readFileSync(join(ROOT, 'fixtures/metrics', file), 'utf8'));
const { cases }: { cases: readonly Case[] } = read('cases.json');

interface Case {
  readonly name: string;
  readonly classes: number;
  readonly labels: readonly number[];
  readonly of: number | null;
  readonly probabilities: readonly number[];
}

const { curves, gain }: { curves: readonly (readonly (Curve | null)[])[]; gain: Gain } = read('curves.json');

interface Gain {
  readonly labels: readonly number[];
  readonly scores: readonly number[];
  readonly threshold: number;
  readonly difference: number;
  readonly standardError: number;
  readonly precision: number;
  readonly recall: number;
}

function expectNear(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 12);
}

describe('precision-recall curves', () => {
  const each = cases.map((one, i) => ({ ...one, expectedOf: curves[i] ?? [] }));
  it.each(each)('are scikit-learn’s: $name', ({ classes, labels, of, probabilities, expectedOf }) => {
    const scored = Scored.of({ labels, classes, probabilities: probabilities.map((p) => p / (of ?? 1)) });
    for (const [k, expected] of expectedOf.entries()) {
      if (expected === null) {
        expect(precisionRecallCurve(scored, k)).toBe(null);
        expect(bestThreshold(scored, k)).toBe(null);
        expect(operatingPoint(scored, k, 0.5)).toBe(null);
        continue;
      }
      const all = thresholdsOf(scored, k) ?? [];
      const positives = all.at(-1)?.hits ?? 0;
      expectNear(
        all.map(({ threshold }) => threshold),
        expected.thresholds,
      );
      expectNear(
        all.map(({ hits, taken }) => hits / taken),
        expected.precision,
      );
      expectNear(
        all.map(({ hits }) => hits / positives),
        expected.recall,
      );
      const threshold = bestThreshold(scored, k) ?? Number.NaN;
      expect(threshold).toBeCloseTo(expected.bestThreshold, 12);
      expect(operatingPoint(scored, k, threshold)?.at.f1).toBeCloseTo(expected.bestF1, 12);
    }
  });

  it('of many samples keep few points, all of them points of the whole curve, from the first to the last', () => {
    const size = 5000;
    const labels = Int32Array.from({ length: size }, (_, i) => (i % 7 === 0 ? 1 : 0));
    const score = (i: number): number => ((i * 7919) % 4993) / 9986 + (labels[i] === 1 ? 0.3 : 0.1);
    const probabilities = Array.from({ length: size }, (_, i) => [1 - score(i), score(i)]).flat();
    const scored = Scored.of({ labels, classes: 2, probabilities });
    const points = precisionRecallCurve(scored, 1)?.points ?? [];
    expect(points.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(points.length).toBeGreaterThan(MAX_POINTS / 2);
    const all = thresholdsOf(scored, 1) ?? [];
    const known = new Set(all.map(({ threshold, taken, hits }) => `${threshold} ${hits / taken}`));
    expect(points.every(({ threshold, precision }) => known.has(`${threshold} ${precision}`))).toBe(true);
    expect(points[0]?.threshold).toBe(all[0]?.threshold);
    expect(points.at(-1)).toMatchObject({ recall: 1, threshold: all.at(-1)?.threshold });
  });
});

describe('an operating point', () => {
  it('has the precision and recall of scikit-learn, and the interval of a bootstrap', () => {
    const { labels, scores, threshold } = gain;
    const scored = Scored.of({ labels, classes: 2, probabilities: scores.flatMap((p) => [1 - p, p]) });
    const found = operatingPoint(scored, 1, threshold);
    expect(found?.at.precision).toBeCloseTo(gain.precision, 12);
    expect(found?.at.recall).toBeCloseTo(gain.recall, 12);
    expect(found?.gain.difference).toBeCloseTo(gain.difference, 12);
    const error = ((found?.gain.high ?? 0) - (found?.gain.low ?? 0)) / 2 / 1.96;
    expect(Math.abs(error / gain.standardError - 1)).toBeLessThan(0.1);
  });

  it('at which nothing changes gains nothing, for certain', () => {
    const scored = Scored.of({ labels: [0, 1, 1], classes: 2, probabilities: [0.9, 0.1, 0.2, 0.8, 0.6, 0.4] });
    expect(operatingPoint(scored, 1, 0.5)?.gain).toEqual({ difference: 0, low: 0, high: 0 });
  });
});
