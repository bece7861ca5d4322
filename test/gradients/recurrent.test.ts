import { describe, expect, test } from 'vitest';
import { directionalError } from '../support/finiteDifferences.ts';
import { type GradientCase, gradientCases, runGradientCase } from '../support/gradientCases.ts';

const CASES = gradientCases('recurrent');

/** Σ |y·dy| is at most this, since states of most activations are below 1 and dy is normal. */
function scaleOf({ dy }: GradientCase): number {
  return dy.flatMap((each) => each?.data ?? []).reduce<number>((sum, value) => sum + Math.abs(Number(value)), 1);
}

describe('the forward pass that a training step runs instead of ONNX Runtime’s kernel gives its values', () => {
  test.each(CASES.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const kernel = await runGradientCase(c, { replacesForward: false });
    const own = await runGradientCase(c, { replacesForward: true });
    expect(kernel.ops).toContain(c.op);
    expect(own.ops).not.toContain(c.op);
    expect(Math.abs(own.loss - kernel.loss) / Math.max(scaleOf(c), Math.abs(kernel.loss))).toBeLessThan(1e-6);
  });
});

test('finite differences judge recurrent operators too, though ONNX Runtime has them in float32 alone', async () => {
  for (const c of CASES.slice(0, 3)) expect(await directionalError(c)).toBeLessThan(1e-5);
});
