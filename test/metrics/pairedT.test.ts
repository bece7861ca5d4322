import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PairedT, pairedT } from '../../src/metrics/pairedT.ts';
import { ROOT } from '../support/cli.ts';

const { cases }: { readonly cases: readonly (PairedT & { readonly differences: readonly number[] })[] } = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/sampling/paired.json'), 'utf8'),
);

describe("Student's paired test", () => {
  it.each(cases.map((one) => [one.differences.length, one] as const))('of %i differences is SciPy’s', (_, one) => {
    const { differences, ...expected } = one;
    const found = pairedT(differences);
    for (const [key, value] of Object.entries(expected)) {
      expect(Math.abs(Number(found?.[key as keyof PairedT]) - value), key).toBeLessThan(1e-9 * (1 + Math.abs(value)));
    }
  });

  it('of one difference is none, and of equal ones is sure', () => {
    expect(pairedT([1])).toBeNull();
    expect(pairedT([0.5, 0.5])).toEqual({ mean: 0.5, sd: 0, low: 0.5, high: 0.5, p: 0 });
    expect(pairedT([0, 0, 0])?.p).toBe(1);
  });
});
