import type { ProviderReport } from '../runtime/device/report.ts';
import type { Forms } from './lower.ts';
import { machineLowering } from './machine.ts';
import { webgpuMachine } from './webgpu/machine.ts';

/** Adds to the CPU's report whether training uses blocked forms there. Without them training works too, but slower. */
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

/** Adds to a report on WebGPU whether operators that some driver computes wrong are right here. */
export async function withSelfTest(reports: readonly ProviderReport[]): Promise<ProviderReport[]> {
  return Promise.all(
    reports.map(async (report) => {
      if (report.provider !== 'webgpu' || !report.works) return report;
      const { wrong } = await webgpuMachine();
      const found = wrong === null ? 'convolutions, products and functions agree with the CPU' : `wrong: ${wrong}`;
      const hint = wrong === null ? '' : 'Update the driver, or use the provider cpu';
      const test = { check: 'self-test', ok: wrong === null, found, hint };
      return { ...report, works: wrong === null, findings: [...report.findings, test] };
    }),
  );
}
