/** How a part of the check ended. `incomplete`: all that was looked at in its time passed, and there was more. */
export type Verdict = 'passed' | 'failed' | 'incomplete' | 'skipped' | 'crashed';

/** A line of a part's table. */
export type ResultRow = Readonly<Record<string, string | number | boolean | null>>;

/** What a part has found so far: it is written anew after every item, so that a part that is killed loses nothing. */
export interface Found {
  /** Items that were looked at, and how many there are. */
  readonly done: number;
  readonly total: number;
  /** What is wrong, one sentence each. */
  readonly failures: readonly string[];
  readonly rows: readonly ResultRow[];
  readonly notes: readonly string[];
}

export interface PartResult extends Found {
  readonly part: string;
  readonly title: string;
  /** What it looks at. */
  readonly about: string;
  readonly verdict: Verdict;
  /** Why there is nothing, or not all. */
  readonly why: string;
  readonly seconds: number;
}

export const NOTHING: Found = { done: 0, total: 0, failures: [], rows: [], notes: [] };

/** The machine, as far as it could be asked. */
export interface Machine {
  /** The GPU that CUDA's device 0 is; `null` where there is none. */
  readonly gpu: Gpu | null;
  /** What was found on the way: several GPUs, MIG, what did not answer. */
  readonly notes: readonly string[];
  readonly python: Python;
  readonly node: string;
  readonly runtime: string;
  readonly processor: string;
  readonly cores: number;
}

export interface Gpu {
  readonly name: string;
  readonly uuid: string;
  readonly driver: string;
  /** The newest CUDA that the driver takes. */
  readonly cuda: string;
  readonly memory: string;
  readonly computeCapability: string;
  readonly mig: string;
}

/** Whether PyTorch can be timed beside. */
export type Python =
  | {
      readonly ok: true;
      readonly version: string;
      readonly torch: string;
      readonly cuda: string;
      readonly cudnn: string;
    }
  | { readonly ok: false; readonly why: string };
