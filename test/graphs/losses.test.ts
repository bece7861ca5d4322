import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Loss } from '../../src/contract.ts';
import { EXCLUSIVE_LOSSES, lossesByName } from '../support/catalogue.ts';
import { changedLogits, factorOf, lossOf, type Sample, type Settings } from '../support/oracle.ts';
import { runLoss, worstRelative } from '../support/runLoss.ts';

const weights = [0.5, 1.25, 0, 2.25];
const counts = [1000, 90, 7, 90];
const names = EXCLUSIVE_LOSSES;
/** The fused form takes two ways: one where the file says that classes are few, one where they are many or unknown. */
const WAYS = [{ classes: weights.length }, {}];
const FORMS = [...WAYS.map((way) => ({ form: 'fused', ...way })), { form: 'literal' }];
const logit = fc.double({ min: -40, max: 40, noNaN: true }).map(Math.fround);
const sample: fc.Arbitrary<Sample> = fc
  .record({
    logits: fc.array(logit, { minLength: weights.length, maxLength: weights.length }),
    label: fc.nat(weights.length - 1),
    norm: fc.double({ min: 0, max: 100, noNaN: true }).map(Math.fround),
  })
  .map((drawn) => ({ ...drawn, weight: weights[drawn.label] ?? Number.NaN }));

function lossNamed(name: string): Loss {
  const loss = lossesByName[name];
  if (loss === undefined) throw new Error(name);
  return loss;
}

/** Settings that lead to different graphs or numbers. */
function variants(name: string): Settings[] {
  if (lossNamed(name).options.gamma) return [{ gamma: 0 }, { gamma: 0.5 }, { gamma: 1 }, { gamma: 2 }];
  return VARIANTS[name] ?? [{}];
}

const VARIANTS: Readonly<Record<string, Settings[]>> = {
  ldam: [{ scale: 1 }, { maxMargin: 0 }, { maxMargin: 0.8, scale: 5 }],
  'logit-adjustment': [{}, { tau: 0 }, { tau: 2.5 }],
  'vector-scaling': [{}, { scalingGamma: 0, tau: 0.5 }, { scalingGamma: 1, tau: 0 }],
  'label-smoothing': [{}, { smoothing: 0 }, { smoothing: 1 }],
  poly1: [{}, { polyEpsilon: 0 }, { polyEpsilon: -0.5 }],
};

/** Two roundings of the changed logits, by which a small loss differs relatively; PyTorch's float32 has them too. */
function rounding(name: string, samples: readonly Sample[], settings: Settings): number {
  if (!lossNamed(name).needsCounts) return 0;
  const sizes = samples.flatMap((sample) => changedLogits(name, sample, settings).map(Math.abs));
  return 2 ** -22 * Math.max(...sizes);
}

describe.each(names)('%s', (name) => {
  const loss = lossNamed(name);

  it.each(variants(name))('is within 1e-6 of float64 in the fused form, %o', async (options) => {
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { minLength: 1, maxLength: 32 }), async (samples) => {
        const settings = { ...options, counts, weights };
        for (const way of WAYS) {
          const got = await runLoss({ loss, options: { ...options }, weights, counts, ...way }, samples);
          expect(
            worstRelative(
              got.perSample,
              samples.map((s) => lossOf(name, s, settings)),
            ),
          ).toBeLessThan(1e-6 + rounding(name, samples, settings));
          const factors = loss.needsFeatures ? samples.map((s) => factorOf(s)) : [];
          expect(worstRelative(got.factor, factors)).toBeLessThan(1e-6);
        }
      }),
      { numRuns: 40, seed: 2021 },
    );
  });

  it.each(variants(name))('agrees with the literal form where that loses no digits, %o', async (options) => {
    const samples: Sample[] = [0, 1, 3].map((label) => ({ logits: [1.5, -2.25, 0.5, 3], label, norm: 7, weight: 1 }));
    const mild = loss.options.scale ? { ...options, scale: 1 } : options;
    const [fused, literal] = await Promise.all(
      ['fused', 'literal'].map((form) => runLoss({ loss, options: { ...mild, form }, counts: [3, 4, 5, 4] }, samples)),
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
    for (const { form, ...known } of FORMS) {
      const got = await runLoss({ loss, options: { form }, weights, counts, opset, ...known }, samples);
      expect(
        worstRelative(
          got.perSample,
          samples.map((s) => lossOf(name, s, { counts, weights })),
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
    for (const options of variants(name)) {
      for (const { form, ...known } of FORMS) {
        const got = await runLoss({ loss, options: { ...options, form }, weights, counts, ...known }, samples);
        expect(
          worstRelative(
            got.perSample,
            samples.map((s) => lossOf(name, s, { ...options, counts, weights })),
          ),
        ).toBeLessThan(1e-6);
      }
    }
  });

  it.each([-1, 4, -4])('refuses the label %i', async (label) => {
    const bad: Sample = { logits: [1, 2, 3, 4], label, norm: 1, weight: 1 };
    for (const { form, ...known } of FORMS) {
      await expect(runLoss({ loss, options: { form }, counts, ...known }, [bad])).rejects.toThrow(
        /out of range|out of data bounds/i,
      );
    }
  });
});

it('a model of one class has no loss', async () => {
  const only: Sample = { logits: [3], label: 0, norm: 2, weight: 1 };
  for (const name of names)
    for (const way of [{ classes: 1 }, {}])
      expect((await runLoss({ loss: lossNamed(name), counts: [5], ...way }, [only])).perSample).toEqual([0]);
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
