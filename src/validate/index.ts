import { breather } from '../breather.ts';
import { settleProvider } from '../lower/provider.ts';
import { runtimeVersion } from '../runtime/session.ts';
import { findCases } from './findCases.ts';
import type { ValidateOptions } from './options.ts';
import type { CaseReport, ValidationReport } from './report.ts';
import { type AugmentCase, runCase } from './runCase.ts';

export type { CaseReport, Errors, OutputReport, ValidationReport, Verdict } from './report.ts';
export type { AugmentCase } from './runCase.ts';

/** With options internal to the engine. */
export interface ValidateRequest extends ValidateOptions {
  /** Grafts what a case.json requests. Without it, only models that run as they are can be validated. */
  readonly augmentCase?: AugmentCase;
}

/**
 * Runs the cases in and below `dirs` and compares every expected output. Cases have the layout of ONNX's backend tests: `model.onnx`,
 * `test_data_set_*` with `input_*.pb` and `output_*.pb`; a `case.json` may add what to graft, tolerances and shared files. A folder
 * without case.json is held to the tolerance of ONNX's backend tests, rtol 1e-3 and atol 1e-7; a case.json that states none, to rtol 1e-5
 * and atol 1e-7. Sequences, maps and optionals cannot be passed by onnxruntime-node: a case with them fails and says so.
 *
 * @throws LossgraftError if a folder is missing or holds no case, or if there is no CUDA here. Faults of a case are in its report.
 */
export async function validate(dirs: readonly string[], options: ValidateRequest = {}): Promise<ValidationReport> {
  const { provider, notes } = await settleProvider(options.provider);
  const folders = findCases(dirs);
  const cases: CaseReport[] = [];
  const breathe = breather(options.signal);
  for (const folder of folders) {
    await breathe();
    const report = await runCase(folder, provider, options.augmentCase);
    cases.push(report);
    options.onCase?.(report, folders.length);
  }
  const failed = cases.filter((report) => report.verdict === 'fail').length;
  const passed = cases.length - failed;
  return { provider, notes, runtime: runtimeVersion, verdict: failed === 0 ? 'pass' : 'fail', passed, failed, cases };
}
