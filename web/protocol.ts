import type {
  DataOptions,
  DetailedMetrics,
  EpochRecord,
  Inspection,
  Problem,
  TrainEvent,
  TrainResult,
} from '../src/index.ts';
import type { Changed } from '../src/tuned/changed.ts';
import type { Device } from './platform/onnxruntime.ts';

/** What the page asks of the engine, which works in a thread of its own, and what it is told. */

/** A file that was dropped, and where in the folder that was dropped with it. */
export interface Dropped {
  readonly path: string;
  readonly file: Blob;
}

/** What a user may choose; what is not given is left to lossgraft's defaults. */
export interface Choices {
  readonly trainable: 'head' | 'all';
  readonly goal: 'macro-f1' | 'balanced-accuracy';
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly folds?: number;
}

/** How data are read. */
export type Reading = Pick<DataOptions, 'labelColumn' | 'resize' | 'crop' | 'channels' | 'mean' | 'std' | 'classes'>;

/** What each request gives. */
export interface Answers {
  /** `file`: the WebAssembly that the device takes. */
  readonly start: {
    readonly device: Device;
    readonly file: string;
    readonly adapter: string;
    readonly isSoftware: boolean;
  };
  readonly model: OpenedModel;
  readonly data: OpenedSamples;
  readonly check: Checked;
  readonly train: Trained;
  readonly write: Tuned;
}

export type Request =
  | { readonly kind: 'start'; readonly device: Device | 'auto' }
  | { readonly kind: 'model'; readonly files: readonly Dropped[] }
  | { readonly kind: 'data'; readonly files: readonly Dropped[]; readonly reading: Reading }
  | { readonly kind: 'check'; readonly choices: Choices }
  | { readonly kind: 'train'; readonly choices: Choices }
  | { readonly kind: 'write'; readonly anyway: boolean };

export interface OpenedModel {
  readonly inspection: Inspection;
  /** Height, width and channels of the images that it takes; `null` where it takes none, or of any size. */
  readonly images: { readonly height: number; readonly width: number; readonly channels: number } | null;
  /** Whether a preprocessor_config.json came with it. */
  readonly isPrepared: boolean;
}

export interface OpenedSamples {
  readonly path: string;
  readonly classNames: readonly string[] | null;
  /** The parts of a folder that is divided into train, val and test. */
  readonly parts: readonly string[];
  readonly notes: readonly string[];
}

/** What a training would do. */
export interface Checked {
  readonly samples: { readonly train: number; readonly validation: number; readonly test: number | null };
  readonly classNames: readonly string[] | null;
  readonly classCounts: readonly number[];
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly seconds: number;
  readonly notes: readonly string[];
}

export interface Trained
  extends Pick<TrainResult, 'interrupted' | 'classCounts' | 'classNames' | 'decision' | 'history' | 'folds' | 'notes'> {
  /** On test data, or on what was held out. */
  readonly before: DetailedMetrics | null;
  /** The model that is offered. */
  readonly after: DetailedMetrics | EpochRecord | null;
  readonly isTest: boolean;
  readonly recalls: readonly ClassRecall[];
  /** The report, a page of its own. */
  readonly report: string | null;
}

/** A recall with its 95 % interval; `null` bounds where the number of samples is not known. */
export interface Recall {
  readonly recall: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface ClassRecall {
  readonly name: string;
  /** Samples that it was trained on. */
  readonly trained: number;
  /** `null` for a class without samples to judge by. */
  readonly before: Recall | null;
  readonly after: Recall | null;
}

export interface Tuned {
  /** The model, and its external data if the given one has any. */
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }[];
  /** Where it differs from the given file; `null` where the tuned one is shorter, or has external data. */
  readonly changed: Changed | null;
  /** Bytes of the given file. */
  readonly given: number;
}

/** Page to engine. `cancel` ends the training that is under way. */
export type ToEngine = { readonly id: number; readonly request: Request } | { readonly cancel: true };

/** What is thrown, as it crosses threads. */
export type Failure = Omit<Problem, 'cause'> | { readonly message: string };

/** Engine to page. */
export type FromEngine =
  | { readonly id: number; readonly value: Answers[Request['kind']] }
  | { readonly id: number; readonly failure: Failure }
  | { readonly event: TrainEvent };
