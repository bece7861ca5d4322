import type { ProviderReport } from '../runtime/cuda/diagnose.ts';
import type { Forms } from './lower.ts';
import { machineLowering } from './machine.ts';

/** Adds to a report on the CPU whether training takes blocked forms there. Without them it works too, slower. */
export async function withLowering(
  reports: readonly ProviderReport[],
  forms: Omit<Forms, 'constant'>,
): Promise<ProviderReport[]> {
  return Promise.all(
    reports.map(async (report) => {
      if (report.provider !== 'cpu' || !report.works) return report;
      const { block, why } = await machineLowering(forms);
      const hint = block === null ? 'Nothing to do: training uses the plain forms, at about half the speed' : '';
      return {
        ...report,
        findings: [...report.findings, { check: 'blocked forms', ok: block !== null, found: why, hint }],
      };
    }),
  );
}
