import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { losses } from '../../graphs/index.ts';
import type { Loss } from '../../src/contract.ts';
import { factorOf, lossOf, type Sample } from '../support/oracle.ts';
import { runLoss, worstRelative } from '../support/runLoss.ts';

const weights = [0.5, 1.25, 0, 2.25];
const names = Object.keys(losses);
const logit = fc.double({ min: -40, max: 40, noNaN: true }).map(Math.fround);
const sample: fc.Arbitrary<Sample> = fc
  .record({
    logits: fc.array(logit, { minLength: weights.length, maxLength: weights.length }),
    label: fc.nat(weights.length - 1),
    norm: fc.double({ min: 0, max: 100, noNaN: true }).map(Math.fround),
  })
  .map((drawn) => ({ ...drawn, weight: weights[drawn.label] ?? Number.NaN }));

function lossNamed(name: string): Loss {
  const loss = losses[name];
  if (loss === undefined) throw new Error(name);
  return loss;
}

function gammas(name: string): ({ gamma: number } | Record<never, never>)[] {
  return lossNamed(name).options.gamma ? [{ gamma: 0 }, { gamma: 0.5 }, { gamma: 1 }, { gamma: 2 }] : [{}];
}

describe.each(names)('%s', (name) => {
  const loss = lossNamed(name);

  it.each(gammas(name))('is within 1e-6 of float64 in the fused form, %o', async (options) => {
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 32 }), async (samples) => {
        const got = await runLoss({ loss, options, weights }, samples);
        expect(
          worstRelative(
            got.perSample,
            samples.map((s) => lossOf(name, s, options)),
          ),
        ).toBeLessThan(1e-6);
        if (loss.needsFeatures)
          expect(
            worstRelative(
              got.factor,
              samples.map((s) => factorOf(s)),
            ),
          ).toBeLessThan(1e-6);
      }),
      { numRuns: 40, seed: 2021 },
    );
  });

  it.each(gammas(name))('agrees with the literal form where that loses no digits, %o', async (options) => {
    const samples: Sample[] = [0, 1, 3].map((label) => ({ logits: [1.5, -2.25, 0.5, 3], label, norm: 7, weight: 1 }));
    const [fused, literal] = await Promise.all(
      ['fused', 'literal'].map((form) => runLoss({ loss, options: { ...options, form } }, samples)),
    );
    expect(worstRelative(literal?.perSample ?? [], fused?.perSample ?? [])).toBeLessThan(2e-6);
    expect(worstRelative(literal?.factor ?? [], fused?.factor ?? [])).toBeLessThan(2e-6);
  });

  it.each([11, 12, 13, 17, 18, 20, 21, 24, 26])('runs and says the same at opset %i', async (opset) => {
    const samples: Sample[] = [1, 2].map((label) => ({
      logits: [4, -1, 2, 0],
      label,
      norm: 3,
      weight: weights[label] ?? 0,
    }));
    for (const form of ['fused', 'literal']) {
      const got = await runLoss({ loss, options: { form }, weights, opset }, samples);
      expect(
        worstRelative(
          got.perSample,
          samples.map((s) => lossOf(name, s)),
        ),
      ).toBeLessThan(1e-6);
    }
  });

  it.each([1e4, -1e4])('is finite at logits of ±1e4, weight 0 and norm 0, the label at %d', async (own) => {
    const samples: Sample[] = [1, 2].map((label) => ({
      logits: [0, 1, 2, 3].map((k) => (k === label ? own : -own)),
      label,
      norm: 0,
      weight: weights[label] ?? 0,
    }));
    for (const options of gammas(name)) {
      for (const form of ['fused', 'literal']) {
        const got = await runLoss({ loss, options: { ...options, form }, weights }, samples);
        expect(
          worstRelative(
            got.perSample,
            samples.map((s) => lossOf(name, s, options)),
          ),
        ).toBeLessThan(1e-6);
      }
    }
  });

  it.each([-1, 4, -4])('refuses the label %i', async (label) => {
    const bad: Sample = { logits: [1, 2, 3, 4], label, norm: 1, weight: 1 };
    for (const form of ['fused', 'literal']) {
      await expect(runLoss({ loss, options: { form } }, [bad])).rejects.toThrow(/out of range|out of data bounds/i);
    }
  });
});

it('a model of one class has no loss', async () => {
  const only: Sample = { logits: [3], label: 0, norm: 2, weight: 1 };
  for (const name of names) expect((await runLoss({ loss: lossNamed(name) }, [only])).perSample).toEqual([0]);
});

it('detaching the factor changes no value', async () => {
  const samples: Sample[] = [0, 1].map((label) => ({ logits: [2, -1], label, norm: 5, weight: 1 }));
  for (const name of ['ib', 'ib-focal']) {
    const attached = await runLoss({ loss: lossNamed(name) }, samples);
    expect(await runLoss({ loss: lossNamed(name), options: { detachFactor: true } }, samples)).toEqual(attached);
  }
});

it('alpha, epsilon and the focal scale are what the formulas say', async () => {
  const samples: Sample[] = [0, 1].map((label) => ({ logits: [2, -1], label, norm: 5, weight: 1 }));
  for (const [name, options] of [
    ['ib', { alpha: 3, epsilon: 0.5 }],
    ['ib-focal', { alpha: 3, epsilon: 0, gamma: 1.5 }],
    ['focal', { focalScale: 1, gamma: 3 }],
  ] as const) {
    const got = await runLoss({ loss: lossNamed(name), options }, samples);
    expect(
      worstRelative(
        got.perSample,
        samples.map((s) => lossOf(name, s, options)),
      ),
    ).toBeLessThan(1e-6);
  }
});
