import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { random } from '../../src/data/random.ts';
import { gamma } from '../../src/metrics/gamma.ts';
import { decide, type GateRequest, gate, isHarmed } from '../../src/metrics/gate.ts';
import { judged, METRICS } from '../../src/metrics/metrics.ts';
import { Scored } from '../../src/metrics/scored.ts';
import { type Losses, newnessOf } from '../../src/metrics/seen.ts';
import { ROOT } from '../support/cli.ts';

interface Case extends Pick<GateRequest, 'labels' | 'before' | 'after' | 'classes'> {
  readonly name: string;
  readonly is: Readonly<Record<'jointBetter' | 'macroF1Better' | 'balancedAccuracy' | 'macroF1', number>>;
}

const { cases, newness }: { cases: readonly Case[]; newness: readonly NewnessCase[] } = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/metrics/gate.json'), 'utf8'),
);

interface NewnessCase {
  readonly name: string;
  readonly classes: number;
  readonly validation: Losses;
  readonly training: Losses;
  readonly z: number;
}

function caseOf(name: string): Case {
  const found = cases.find((each) => each.name === name);
  if (found) return found;
  throw new Error(name);
}

describe.each(cases)('the gate, $name', ({ is, ...request }) => {
  it('has the likelihoods that NumPy has in 200,000 draws', () => {
    const found = gate({ ...request, isSafe: true, draws: 20_000 });
    // Four standard errors of 20,000 draws are 0.014.
    expect(Math.abs(found.jointBetter - is.jointBetter)).toBeLessThan(0.015);
    expect(Math.abs(found.macroF1Better - is.macroF1Better)).toBeLessThan(0.015);
    expect(found.balancedAccuracy).toBeCloseTo(is.balancedAccuracy, 12);
    expect(found.macroF1).toBeCloseTo(is.macroF1, 12);
    expect(found.joint).toBeCloseTo((is.balancedAccuracy + is.macroF1) / 2, 12);
  });
});

describe('decisions', () => {
  const decided = (name: string, isSafe: boolean) => gate({ ...caseOf(name), isSafe });

  it.each([
    ['the rare class is found', 'take', 'take'],
    ['the rare class is lost', 'keep', 'keep'],
    ['recall bought with precision', 'keep', 'keep'],
    ['noise', 'take', 'keep'],
    ['few samples, a lucky one', 'take', 'keep'],
    ['three samples of the rarest', 'untold', 'untold'],
  ] as const)('%s: a safe recipe %s, another one %s', (name, safe, other) => {
    expect(decided(name, true).decision).toBe(safe);
    expect(decided(name, false).decision).toBe(other);
  });

  it('say why, with the class that is too rare', () => {
    const { why, rarest } = decided('three samples of the rarest', true);
    expect(rarest).toEqual({ class: 2, samples: 3 });
    expect(
      gate({ ...caseOf('three samples of the rarest'), isSafe: true, classNames: ['a', 'b', 'lynx'] }).why,
    ).toMatch(/; class lynx has/);
    expect(why).toMatch(/probability of \d+ %.*; class 2 has only 3 samples, too few to tell \(4 are needed\)$/);
    expect(decided('the rare class is lost', true).why).toMatch(/changed by −\d+\.\d points/);
  });

  it('call a fall that is taken one by chance', () => {
    const noise = { ...gate({ ...caseOf('noise'), isSafe: true }), joint: -0.04, balancedAccuracy: 0.01 };
    const safe = { isSafe: true } as const;
    expect(decide(noise, safe).why).toMatch(
      /changed by −4\.0 points, .*; so few samples may show such a fall by chance$/,
    );
    expect(decide(noise, { ...safe, goal: 'balanced-accuracy' }).why).not.toMatch(/chance/);
    expect(decide({ ...noise, joint: 0.04 }, safe).why).not.toMatch(/chance/);
    expect(decide({ ...noise, jointBetter: 0.1 }, safe)).toMatchObject({ decision: 'keep' });
  });

  describe('by what the bootstrap found', () => {
    const found = {
      ...{ balancedAccuracy: 0.02, macroF1: 0.01, joint: 0.015, rarest: { class: 0, samples: 4 } },
      ...{ jointBetter: 0.5, macroF1Better: 0.5, balancedAccuracyBetter: 0.5 },
    };
    it.each([
      ['a safe one with a sign of harm to macro-F1 alone', { macroF1Better: 0.19 }, { isSafe: true }, 'keep'],
      ['a safe one with a sign of harm to the mean alone', { jointBetter: 0.19 }, { isSafe: true }, 'keep'],
      ['a safe one without', { macroF1Better: 0.2, jointBetter: 0.2 }, { isSafe: true }, 'take'],
      ['one that is proved', { jointBetter: 0.8 }, { isSafe: false }, 'take'],
      ['one that is nearly proved', { jointBetter: 0.79 }, { isSafe: false }, 'keep'],
      ['one that is proved, but for macro-F1', { jointBetter: 0.9, macroF1: -0.001 }, { isSafe: false }, 'keep'],
      [
        'one proved for balanced accuracy, which is the goal',
        { balancedAccuracyBetter: 0.8, macroF1: -0.1, jointBetter: 0.1 },
        { isSafe: false, goal: 'balanced-accuracy' },
        'take',
      ],
      [
        'one proved for everything but the goal',
        { balancedAccuracyBetter: 0.79, jointBetter: 0.9 },
        { isSafe: false, goal: 'balanced-accuracy' },
        'keep',
      ],
    ] as const)('%s', (_what, change, how, decision) => {
      expect(decide({ ...found, ...change }, how).decision).toBe(decision);
    });

    it('harm shows below 20 %, and with few samples below 5 %', () => {
      const harm = (better: number, samples: number) =>
        isHarmed({ ...found, decision: 'untold', why: '', macroF1Better: better, rarest: { class: 0, samples } });
      expect([harm(0.19, 4), harm(0.2, 4), harm(0.06, 3), harm(0.04, 3)]).toEqual([true, false, false, true]);
    });
  });

  it('are the same for the same seed, and nearly the same for others', () => {
    const request = { ...caseOf('binary'), isSafe: false };
    expect(gate(request)).toEqual(gate(request));
    const likelihoods = [1, 2, 3].map((seed) => gate({ ...request, seed }).jointBetter);
    expect(new Set(likelihoods).size).toBeGreaterThan(1);
    // Four standard errors of 300 draws at most.
    expect(Math.max(...likelihoods) - Math.min(...likelihoods)).toBeLessThan(0.12);
  });

  it('pass over classes that nobody trains, and count those that are trained and missing here', () => {
    const { labels, before, after } = caseOf('binary');
    const request = { labels, before, after, classes: 4, isSafe: true };
    expect(gate({ ...request, trainCounts: [900, 90, 0, 0] }).rarest).toEqual({ class: 1, samples: 15 });
    expect(gate({ ...request, trainCounts: [900, 90, 0, 5] })).toMatchObject({
      decision: 'untold',
      rarest: { class: 3, samples: 0 },
    });
  });

  it('of a model that predicts the same: nothing is gained or lost, and both are as likely', () => {
    const { labels, before } = caseOf('the rare class is found');
    const found = gate({ labels, before, after: before, classes: 3, isSafe: true, draws: 4000 });
    expect(found).toMatchObject({ decision: 'take', joint: 0, macroF1: 0 });
    expect(Math.abs(found.jointBetter - 0.5)).toBeLessThan(0.04);
  });

  it('before and after turned round have the other likelihood', () => {
    const { labels, before, after } = caseOf('binary');
    const there = gate({ labels, before, after, classes: 2, isSafe: true, draws: 20_000 });
    const back = gate({ labels, before: after, after: before, classes: 2, isSafe: true, draws: 20_000, seed: 5 });
    expect(Math.abs(there.jointBetter + back.jointBetter - 1)).toBeLessThan(0.02);
  });

  it('a class alone can be judged', () => {
    expect(
      gate({
        labels: [0, 0, 0, 0],
        before: [0, 1, 0, 0],
        after: [0, 0, 0, 0],
        classes: 2,
        isSafe: true,
        trainCounts: [9, 0],
      }).decision,
    ).toBe('take');
  });

  it('refuses predictions that are not those of the samples', () => {
    expect(() => gate({ labels: [0, 1], before: [0], after: [0, 1], classes: 2, isSafe: true })).toThrow(
      /2 labels, 1 and 2/,
    );
    expect(() => gate({ labels: [2], before: [0], after: [0], classes: 2, isSafe: true })).toThrow(
      /0 to 1 expected, 2 found/,
    );
  });

  it('has the differences of the metrics', () => {
    const { labels, before, after, classes } = caseOf('binary');
    const ofClass = (predicted: ArrayLike<number>) =>
      judged(
        Scored.of({
          labels,
          classes,
          probabilities: Array.from(predicted).flatMap((k) => (k === 0 ? [1, 0] : [0, 1])),
        }),
      );
    const f1 = (predicted: ArrayLike<number>): number => METRICS.macroF1.of(ofClass(predicted)) ?? 0;
    expect(gate({ ...caseOf('binary'), isSafe: true }).macroF1).toBeCloseTo(f1(after) - f1(before), 12);
  });
});

describe.each(newness)('whether validation data are new, $name', ({ classes, validation, training, z, name }) => {
  it('is the z of SciPy', () => {
    const found = newnessOf(validation, training, classes);
    expect(found.z).toBeCloseTo(z, 10);
    expect(found.isNew).toBe(name !== 'three classes, seen');
    expect(found.warning === null).toBe(found.isNew);
  });
});

it('nothing is known of classes with one sample', () => {
  const one = { labels: [0, 1], losses: [0.3, 0.2] };
  expect(newnessOf(one, one, 2)).toMatchObject({ z: null, isNew: false });
});

it.each([0.5, 1, 3.5, 200])('gamma draws of shape %s have its mean, variance and skew', (shape) => {
  const draws = Array.from({ length: 40_000 }, (_, i) => gamma(shape, random(3, i)));
  const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
  const central = (power: number) => draws.reduce((sum, x) => sum + (x - mean) ** power, 0) / draws.length;
  expect(mean / shape).toBeCloseTo(1, 1);
  expect(central(2) / shape).toBeGreaterThan(0.94);
  expect(central(2) / shape).toBeLessThan(1.06);
  expect(Math.abs(central(3) / central(2) ** 1.5 - 2 / Math.sqrt(shape))).toBeLessThan(0.25);
});
