import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareModels } from '../../src/metrics/bootstrap.ts';
import { labelGate } from '../../src/metrics/labelGate.ts';
import { Labelled } from '../../src/metrics/labelled.ts';
import {
  CLASS_METRICS,
  type ClassMetricName,
  isOfTask,
  judged,
  METRICS,
  type MetricName,
} from '../../src/metrics/metrics.ts';
import { applyThresholds, tuneThresholds } from '../../src/metrics/thresholds.ts';
import { ROOT } from '../support/cli.ts';
import { generator } from '../support/grafted.ts';

interface Case {
  readonly name: string;
  readonly classes: number;
  readonly labels: readonly number[];
  readonly probabilities: readonly number[];
  readonly thresholds: readonly number[];
  readonly weights: readonly number[] | null;
  readonly is: {
    readonly overall: Readonly<Partial<Record<MetricName, number>>>;
    readonly classes: Readonly<Record<ClassMetricName, readonly (number | null)[]>>;
    readonly best: readonly (number | null)[];
  };
}

const { cases }: { cases: readonly Case[] } = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/metrics/multiLabel.json'), 'utf8'),
);

function near(found: number | null, expected: number | null | undefined, what: string): void {
  if (expected === null || expected === undefined || found === null) expect(found, what).toBe(expected ?? null);
  else expect(Math.abs(found - expected), `${what}: ${found}, scikit-learn ${expected}`).toBeLessThanOrEqual(1e-9);
}

describe.each(cases)('scikit-learn, $name', ({ weights, is, ...predictions }) => {
  const scored = Labelled.of(predictions);
  const all = judged(scored, weights ? { weights } : {});
  const names = (Object.keys(METRICS) as MetricName[]).filter((name) => isOfTask(name, 'multi-label'));

  it('all samples', () => {
    expect(Object.keys(is.overall).sort()).toEqual(names.toSorted());
    for (const name of Object.keys(METRICS) as MetricName[]) near(METRICS[name].of(all), is.overall[name], name);
  });

  it('label by label', () => {
    for (const name of Object.keys(CLASS_METRICS) as ClassMetricName[]) {
      for (let k = 0; k < scored.classes; k++)
        near(CLASS_METRICS[name].of(all, k), is.classes[name][k], `${name} of label ${k}`);
    }
  });

  it('tuned thresholds reach the highest F1 of the precision-recall curve', () => {
    const thresholds = tuneThresholds(scored);
    const tuned = judged(scored.chosenBy((_, k) => thresholds[k] ?? Number.NaN, thresholds));
    for (const [k, best] of is.best.entries()) {
      if (best === null) expect(thresholds[k]).toBe(0.5);
      else near(CLASS_METRICS.f1.of(tuned, k), best, `F1 of label ${k}`);
    }
  });
});

/** Labels with these shares, and probabilities by a model of that skill. */
function drawn(seed: number, shares: readonly number[], skills: readonly number[], size = 400): Labelled[] {
  const random = generator(seed);
  const labels = Array.from({ length: size * shares.length }, (_, i) =>
    random() < (shares[i % shares.length] ?? 0) ? 1 : 0,
  );
  const noise = labels.map(() => 3 * (random() + random() + random() - 1.5));
  return skills.map((skill) => {
    const probabilities = labels.map((y, i) => 1 / (1 + Math.exp(-(skill * (2 * y - 1) + (noise[i] ?? 0)))));
    return Labelled.of({ labels, probabilities, classes: shares.length });
  });
}

const SHARES = [0.4, 0.1, 0.2];

describe('the gate of several labels', () => {
  it('takes what is clearly better, keeps what is clearly worse, and what is the same', () => {
    const [bad, good] = drawn(1, SHARES, [0.2, 1.5]);
    if (!bad || !good) throw new Error('two models');
    const request = { isSafe: false, seed: 3 };
    expect(labelGate({ ...request, before: bad, after: good }).decision).toBe('take');
    const worse = labelGate({ ...request, before: good, after: bad });
    expect(worse).toMatchObject({ decision: 'keep' });
    expect(worse.jointBetter).toBeLessThan(0.01);
    const same = labelGate({ ...request, before: good, after: good });
    expect(same).toMatchObject({ decision: 'keep', joint: 0 });
    expect(same.jointBetter).toBeGreaterThan(0.3);
    expect(same.jointBetter).toBeLessThan(0.7);
  });

  it('its differences are those of the metrics', () => {
    const [a, b] = drawn(2, SHARES, [0.4, 0.9]);
    if (!a || !b) throw new Error('two models');
    const { balancedAccuracy, macroF1 } = labelGate({ before: a, after: b, isSafe: false });
    const gained = (name: 'balancedAccuracy' | 'macroF1'): number =>
      (METRICS[name].of(judged(b)) ?? 0) - (METRICS[name].of(judged(a)) ?? 0);
    expect(balancedAccuracy).toBeCloseTo(gained('balancedAccuracy'), 12);
    expect(macroF1).toBeCloseTo(gained('macroF1'), 12);
  });

  it('leaves labels with few samples aside and says so; where all are, nothing can be told', () => {
    const [a, b] = drawn(3, [0.4, 0.002], [0.2, 1.5]);
    if (!a || !b) throw new Error('two models');
    const some = labelGate({ before: a, after: b, isSafe: false });
    expect(some.decision).toBe('take');
    expect(some.why).toMatch(/1 of 2 labels have too few samples to judge by/);
    const [c, d] = drawn(4, [0.01, 0.01], [0.2, 1.5], 60);
    if (!c || !d) throw new Error('two models');
    expect(labelGate({ before: c, after: d, isSafe: false }).decision).toBe('untold');
  });
});

describe('thresholds', () => {
  it('that are tuned are judged on other samples than they were tuned on', () => {
    const [scored] = drawn(5, [0.05, 0.1], [0]);
    if (!scored) throw new Error('a model');
    const f1 = (one: Labelled): number => METRICS.macroF1.of(judged(one)) ?? 0;
    const thresholds = tuneThresholds(scored);
    const onTheSame = f1(scored.chosenBy((_, k) => thresholds[k] ?? 0, thresholds));
    const fair = applyThresholds(scored, 'tune');
    expect(fair.thresholds).toEqual(thresholds);
    // Without any skill all that tuning finds is chance.
    expect(f1(fair)).toBeLessThan(onTheSame);
  });

  it('that are given are kept', () => {
    const [scored] = drawn(6, SHARES, [1]);
    if (!scored) throw new Error('a model');
    expect(applyThresholds(scored, [0.5, 0.5, 0.5]).chosen).toEqual(scored.chosen);
    expect(applyThresholds(scored, [0, 0, 0]).tally().predicted).toEqual(Float64Array.of(400, 400, 400));
  });
});

it('two models are compared by a paired bootstrap', () => {
  const [a, b] = drawn(7, SHARES, [0.2, 1.2]);
  if (!a || !b) throw new Error('two models');
  const { differences } = compareModels(a, b, { metrics: ['macroF1', 'prAuc', 'hammingLoss'], draws: 200, seed: 1 });
  expect(differences.macroF1?.low).toBeGreaterThan(0);
  expect(differences.prAuc?.better).toBeGreaterThan(0.99);
  expect(differences.hammingLoss?.high).toBeLessThan(0);
});
