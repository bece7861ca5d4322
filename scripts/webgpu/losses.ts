import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { validate } from '../../src/index.ts';
import { findCases } from '../../src/validate/findCases.ts';
import type { CaseReport } from '../../src/validate/index.ts';
import type { Finding } from './finding.ts';

/** Absolute, or of the value where that is large. */
const TOLERANCE = 1e-4;

/** Every loss with its gradients against PyTorch's and mpmath's float64. */
export async function* checkLosses(only: RegExp, root: string): AsyncGenerator<Finding> {
  if (!only.test('losses')) return;
  const cases: CaseReport[] = [];
  await validate(chosen(root), { provider: 'webgpu', onCase: (report) => cases.push(report) });
  for (const report of cases) yield judge(report);
}

/** Cases with gradients, so many of each loss. */
const EACH = 2;

function chosen(root: string): string[] {
  const folders = ['grad', 'more', 'multi-label', 'digits'].map((name) => join(root, 'fixtures/cases', name));
  const counts = new Map<string, number>();
  return findCases(folders).filter((folder) => {
    const { augment } = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
    const key = `${basename(dirname(folder))} ${augment?.loss}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return (counts.get(key) ?? 0) <= EACH;
  });
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
