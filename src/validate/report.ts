import type { Tolerance } from '../numbers.ts';
import type { Provider } from '../runtime/session.ts';

export type Verdict = 'pass' | 'fail';

/** How far numbers lie from the expected ones; each is the largest over the elements whose expected value is finite. */
export interface Errors {
  readonly maxAbs: number;
  /** Relative to the expected value, where that is not 0 and the distance is above the tolerance's atol. */
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
  /** `null` where there are no numbers to compare: texts, or an output that is missing or of another shape or type. */
  readonly errors: Errors | null;
  readonly tolerance: Tolerance;
  /** Why this output has a tolerance of its own. */
  readonly exception?: string;
  /** The errors of the float32 answers that the case brings along: PyTorch's own. */
  readonly float32?: Errors;
  /** With `cuda`: the distance to the same model's answers on the CPU. */
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
