import type { Tolerance } from '../numbers.ts';
import type { Provider } from '../runtime/session.ts';

export type Verdict = 'pass' | 'fail';

/** Differences from the expected numbers; each is the largest over the elements whose expected value is finite. */
export interface Errors {
  readonly maxAbs: number;
  /** Relative to the expected value, if that is not 0 and the difference exceeds the tolerance's atol. */
  readonly maxRel: number;
  /** In units in the last place of the expected value as a float32. */
  readonly maxUlp: number;
}

export interface OutputReport {
  /** The folder of the data set, such as `test_data_set_0`. */
  readonly dataSet: string;
  readonly output: string;
  readonly verdict: Verdict;
  readonly elements: number;
  /** `null` if there are no numbers to compare: texts, or an output that is missing or has another shape or type. */
  readonly errors: Errors | null;
  readonly tolerance: Tolerance;
  /** Why this output has a tolerance of its own. */
  readonly exception?: string;
  /** The errors of the float32 results in the case: PyTorch's own. */
  readonly float32?: Errors;
  /** With `cuda`: the difference from the same model's results on the CPU. */
  readonly againstCpu?: Errors;
  /** What is wrong, in words. */
  readonly problem?: string;
}

export interface CaseReport {
  /** The case's folder. */
  readonly case: string;
  readonly proves?: string;
  readonly verdict: Verdict;
  readonly outputs: readonly OutputReport[];
  /** Why the case could not be run or read. */
  readonly error?: string;
}

/** Plain data: JSON.stringify keeps all of it. */
export interface ValidationReport {
  readonly provider: Provider;
  /** What the user should know of it. */
  readonly notes: readonly string[];
  readonly runtime: string;
  readonly verdict: Verdict;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly CaseReport[];
}
