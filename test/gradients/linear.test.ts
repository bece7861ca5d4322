import { describe, expect, test } from 'vitest';
import { type GradientCase, gradientCases, runGradientCase } from '../support/gradientCases.ts';

/** Convolutions have no float64 kernel for finite differences. But they are linear: Σ y·dy = ⟨∂/∂x, x⟩ = ⟨∂/∂w, w⟩, up to rounding. */
const LINEAR = ['conv', 'pool'].flatMap((family) =>
  gradientCases(family).filter(
    ({ op, inputs }) =>
      ['Conv', 'ConvTranspose', 'AveragePool', 'GlobalAveragePool'].includes(op) &&
      inputs.every((i) => i?.name !== 'b'),
  ),
);

function sizes(c: GradientCase, grads: Readonly<Record<string, number[]>>): { sum: number; scale: number }[] {
  return c.inputs.flatMap((input) => {
    const terms = (input && grads[input.name])?.map((g, i) => g * Number(input.data[i])) ?? [];
    const total = (f: (term: number) => number) => terms.reduce((sum, term) => sum + f(term), 0);
    return input ? [{ sum: total((t) => t), scale: total(Math.abs) }] : [];
  });
}

describe('ONNX Runtime reads the attributes as the rules do', () => {
  test.each(LINEAR.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const { loss, grads } = await runGradientCase(c);
    for (const { sum, scale } of sizes(c, grads)) expect(Math.abs(sum - loss) / scale).toBeLessThan(1e-6);
  });
});
