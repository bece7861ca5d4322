import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reliabilityOf } from '../../src/metrics/calibration.ts';
import { coinTest } from '../../src/metrics/mcnemar.ts';
import {
  CLASS_METRICS,
  type ClassMetricName,
  isOfTask,
  judged,
  METRICS,
  type MetricName,
} from '../../src/metrics/metrics.ts';
import { Scored } from '../../src/metrics/scored.ts';
import { ROOT } from '../support/cli.ts';

interface Case {
  readonly name: string;
  readonly classes: number;
  readonly labels: readonly number[];
  readonly of: number | null;
  readonly probabilities: readonly number[];
  readonly weights: readonly number[] | null;
  readonly costs: readonly (readonly number[])[] | null;
  readonly is: {
    readonly overall: Readonly<Record<MetricName, number | null>>;
    readonly classes: Readonly<Record<ClassMetricName, readonly (number | null)[]>>;
    readonly reliability: readonly { samples: number; accuracy: number | null; confidence: number | null }[];
  };
}

const { cases, coins }: { cases: readonly Case[]; coins: readonly { heads: number; tails: number; p: number }[] } =
  JSON.parse(readFileSync(join(ROOT, 'fixtures/metrics/cases.json'), 'utf8'));

const TOLERANCE = 1e-9;

function near(found: number | null, expected: number | null | undefined, what: string): void {
  if (expected === null || expected === undefined || found === null) expect(found, what).toBe(expected);
  else expect(Math.abs(found - expected), `${what}: ${found}, scikit-learn ${expected}`).toBeLessThanOrEqual(TOLERANCE);
}

describe.each(cases)('scikit-learn, $name', ({ classes, labels, of, probabilities, weights, costs, is }) => {
  const scored = Scored.of({ labels, classes, probabilities: probabilities.map((p) => p / (of ?? 1)) });
  const all = judged(scored, { ...(weights ? { weights } : {}), ...(costs ? { costs } : {}) });

  it('all samples', () => {
    const own = (Object.keys(METRICS) as MetricName[]).filter((name) => isOfTask(name, 'exclusive'));
    expect(Object.keys(is.overall).sort()).toEqual(own.sort());
    for (const name of Object.keys(METRICS) as MetricName[])
      near(METRICS[name].of(all), is.overall[name] ?? null, name);
  });

  it('class by class', () => {
    for (const [name, metric] of Object.entries(CLASS_METRICS)) {
      for (let k = 0; k < classes; k++) {
        near(metric.of(all, k), is.classes[name as ClassMetricName][k], `${name} of class ${k}`);
      }
    }
  });

  it('the reliability curve', () => {
    const curve = reliabilityOf(scored, weights ?? undefined);
    for (const [i, { samples, accuracy, confidence }] of curve.entries()) {
      expect(samples, `bin ${i}`).toBe(is.reliability[i]?.samples);
      near(accuracy, is.reliability[i]?.accuracy, `accuracy of bin ${i}`);
      near(confidence, is.reliability[i]?.confidence, `confidence of bin ${i}`);
    }
  });
});

it.each(coins)("McNemar's p of $heads and $tails is scipy's binomtest", ({ heads, tails, p }) => {
  expect(coinTest(heads, tails)).toBeCloseTo(p, 9);
  expect(coinTest(tails, heads)).toBe(coinTest(heads, tails));
});
