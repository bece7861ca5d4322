import { basename, join } from 'node:path';
import { validate } from '../../src/index.ts';
import type { CaseReport } from '../../src/validate/index.ts';
import type { Finding } from './finding.ts';

/** Absolute, or of the value where that is large. */
const TOLERANCE = 1e-4;

/** Every loss with its gradients against PyTorch's and mpmath's float64. */
export async function* checkLosses(only: RegExp, root: string): AsyncGenerator<Finding> {
  if (!only.test('losses')) return;
  const cases: CaseReport[] = [];
  await validate([join(root, 'fixtures/cases')], { provider: 'webgpu', onCase: (report) => cases.push(report) });
  for (const report of cases) yield judge(report);
}

function judge({ case: folder, outputs, error }: CaseReport): Finding {
  const name = `losses ${basename(folder)}`;
  if (error !== undefined) return { name, problem: error };
  const far = outputs.find(({ errors }) => {
    const { maxAbs = Number.POSITIVE_INFINITY, maxRel = Number.POSITIVE_INFINITY } = errors ?? {};
    return !(Math.min(maxAbs, maxRel) <= TOLERANCE);
  });
  if (far === undefined) return { name };
  return {
    name,
    problem: `${far.output} ${far.problem ?? `${far.errors?.maxAbs} (relative ${far.errors?.maxRel}) from float64`}`,
  };
}
