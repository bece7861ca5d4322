import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AugmentOptions, augment, open, validate } from '../../src/index.ts';
import { type AugmentCase, validate as validateCases } from '../../src/validate/index.ts';
import type { CaseReport, OutputReport } from '../../src/validate/report.ts';

const CASES = join(import.meta.dirname, '../../fixtures/cases');

function failures(cases: readonly CaseReport[], counts: (output: OutputReport) => boolean = () => true): string[] {
  return cases.flatMap((report) => [
    ...(report.error === undefined ? [] : [`${report.case}: ${report.error}`]),
    ...report.outputs
      .filter((output) => output.verdict === 'fail' && counts(output))
      .map((output) => `${report.case}, ${output.output}: ${output.problem}`),
  ]);
}

/** The loss of a gradient case, without its gradients. */
const forwardOnly: AugmentCase = async (path, { grad: _, ...options }) => {
  const model = await open(path);
  try {
    return (await augment(model, options as unknown as AugmentOptions)).bytes();
  } finally {
    model.close();
  }
};

describe("PyTorch's and mpmath's answers", () => {
  it('all losses over weights, options, sizes, opsets and extremes', async () => {
    const { cases } = await validate([join(CASES, 'loss')]);
    expect(failures(cases)).toEqual([]);
    expect(cases.length).toBeGreaterThan(200);
  });

  it('the values of the gradient cases', async () => {
    const { cases } = await validateCases([join(CASES, 'grad')], { augmentCase: forwardOnly });
    expect(failures(cases, ({ output }) => !output.endsWith('.grad'))).toEqual([]);
    expect(cases.length).toBeGreaterThan(100);
  });

  it('a real network on real data, by both exporters', async () => {
    const { cases } = await validate([join(CASES, 'digits')]);
    expect(failures(cases)).toEqual([]);
    expect(cases).toHaveLength(5);
  });

  it('the fused form needs at most four exceptions, and keeps what PyTorch float32 loses', async () => {
    const { cases } = await validate([join(CASES, 'loss')]);
    const outputs = cases.filter((report) => !report.case.includes('-literal-')).flatMap((report) => report.outputs);
    expect(outputs.filter((output) => output.exception !== undefined).length).toBeLessThanOrEqual(4);
    const worst = (errors: (output: OutputReport) => number | undefined): number =>
      Math.max(...outputs.map((output) => errors(output) ?? 0));
    expect(worst(({ errors }) => errors?.maxRel)).toBeLessThan(1e-6);
    expect(worst(({ float32 }) => float32?.maxRel)).toBeGreaterThan(0.1);
  });
});
