import { given, isFunction, type OptionsOf, signalRow } from '../options/row.ts';
import { providerRow } from '../tables/run.ts';
import type { CaseReport } from './report.ts';

/** The options of `validate`. */
export const validateRows = {
  /** Default `cpu`. `cuda` and `webgpu` are strict: it is proved that the GPU computed, and its numbers agree with the CPU's. */
  provider: {
    ...providerRow,
    first: true,
    describe: 'Execution provider; cuda and webgpu never fall back, and their results are also compared with the CPU’s',
  },
  /** Ends the work after the current case. */
  signal: signalRow,
  /** Called after each case, with the total number. */
  onCase: given<(report: CaseReport, total: number) => void>('a function', isFunction),
} as const;

export type ValidateOptions = OptionsOf<typeof validateRows>;
