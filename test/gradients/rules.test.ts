import { describe, expect, test } from 'vitest';
import { gradients } from '../../graphs/gradients/index.ts';
import { noGradient } from '../../src/contract.ts';
import { directionalError } from '../support/finiteDifferences.ts';
import { gradientCases, gradientFamilies, runGradientCase, worstRatio } from '../support/gradientCases.ts';

const RTOL = 1e-5;
const ATOL = 1e-7;

describe.each(gradientFamilies())('%s', (family) => {
  test.each(gradientCases(family).map((c) => [c.name, c] as const))('%s', async (_, c) => {
    for (const symbolic of [undefined, ...(c.symbolic ?? (['all'] as const))]) {
      const { grads } = await runGradientCase(c, { symbolic });
      for (const [name, expected] of Object.entries(c.grads)) {
        const ratio = worstRatio(grads[name] ?? [], expected, c.rtol ?? RTOL, c.atol ?? ATOL);
        expect(
          ratio,
          `${name}.grad of ${c.torch}${symbolic ? `, symbolic: ${symbolic}` : ''}: ${grads[name]?.slice(0, 8)} for ${expected.data.slice(0, 8)}`,
        ).toBeLessThanOrEqual(1);
      }
    }
  });

  test.each(gradientCases(family).map((c) => [c.name, c] as const))(
    '%s by finite differences in float64',
    async (_, c) => {
      const error = await directionalError(c);
      if (error !== undefined) expect(error).toBeLessThan(1e-5);
    },
  );
});

test('every rule has a case', () => {
  const tested = new Set(gradientFamilies().flatMap((family) => gradientCases(family).map((c) => c.op)));
  const untested = Object.entries(gradients).filter(
    ([op, rule]) => rule !== noGradient && !op.includes('::') && !tested.has(op),
  );
  expect(untested.map(([op]) => op)).toEqual([]);
});
