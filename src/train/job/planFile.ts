import type { Combine } from '../../trainGraph/workers.ts';

/** Of plan.json. Raised when an older runner would misread it. */
export const JOB_FORMAT = 1;

/** The version of python/lossgraft-runner that a job is for. */
export const RUNNER_VERSION = '0.1.0';

/** Files and folders of a job. */
export const JOB_FILES = {
  plan: 'plan.json',
  run: 'run',
  data: 'data',
  state: 'state.safetensors',
  progress: 'progress',
} as const;

/** The two graphs of a phase; paths start at the job's folder. */
export interface JobGraph {
  readonly gradients: string;
  readonly apply: string;
  readonly outputs: readonly { readonly name: string; readonly combine: Combine }[];
  readonly rowOffset: string | null;
  /** Names in the graphs. */
  readonly loss: string;
  readonly labels: string;
  readonly learningRate: string;
}

/** An epoch: arrays that the steps of it read from one place on. */
export interface JobEpoch {
  readonly graph: string;
  /** uint32 [samples]: places in the job's data. */
  readonly order: string;
  /** float32 [steps] */
  readonly rates: string;
  /** uint16 [samples, 3]: top, left, flipped, in the order's order. */
  readonly draws: string | null;
}

/** What a runner walks: everything that decides the numbers, and nothing to decide. */
export interface JobPlan {
  readonly format: typeof JOB_FORMAT;
  readonly lossgraft: string;
  readonly runner: string;
  readonly graphs: Readonly<Record<string, JobGraph>>;
  readonly epochs: readonly JobEpoch[];
  /** Of each epoch. */
  readonly samples: number;
  readonly batchSize: number;
  readonly steps: number;
  readonly state: string;
  readonly data: string;
  readonly augmentation: { readonly input: string; readonly padding: number; readonly black: readonly number[] } | null;
  /** The SHA-256 of every file of the job but the shards, whose index has theirs. */
  readonly files: Readonly<Record<string, string>>;
  /** The loss that is trained, and what `collect` must find again. */
  readonly arm: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a runner writes into the folder `progress`. */
export interface JobCheckpoint {
  readonly plan: string;
  /** What comes next. */
  readonly epoch: number;
  readonly step: number;
  readonly epochs: readonly {
    readonly file: string;
    readonly lossSum: number;
    readonly lossCount: number;
    readonly seconds: number;
  }[];
}
