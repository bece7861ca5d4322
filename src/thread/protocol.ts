import type { Problem } from '../errors.ts';
import type { Scaling } from '../records/scaling.ts';
import type { Provider } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

/** A graph in front of others: its outputs are their feeds. */
export interface Front {
  readonly graph: string;
  /** Its outputs, mapped to the inputs of the next graph, which may read only some of them. */
  readonly feeds: Readonly<Record<string, string>>;
}

/** Requests of the main thread to the worker, which holds the sessions and the state. */
export type Job =
  | {
      readonly kind: 'open';
      readonly graph: string;
      /** For errors. */
      readonly name: string;
      readonly bytes: Uint8Array;
      readonly provider: Provider;
      readonly externalDataFolder: string;
      /** Threads per operator; default: as many as the processor has cores. */
      readonly threads?: number;
      /** A graph of one step on WebGPU: its states, whose next values stay in the GPU's memory. */
      readonly states?: readonly string[];
      /** Runs first, batch by batch, if the feeds are its inputs rather than its outputs. */
      readonly front?: Front;
    }
  | { readonly kind: 'close'; readonly graph: string }
  /** The state becomes what a safetensors file holds. */
  | { readonly kind: 'load'; readonly path: string }
  | { readonly kind: 'save'; readonly path: string }
  | { readonly kind: 'set'; readonly state: Tensors }
  /** One run of a training graph; the state advances if all losses are finite. */
  | { readonly kind: 'train'; readonly graph: string; readonly feeds: Tensors; readonly loss: string }
  /** The outputs of a graph that reads a part of the state. */
  | { readonly kind: 'evaluate'; readonly graph: string; readonly feeds: Tensors; readonly fetches: readonly string[] }
  /** What a frozen graph makes of a batch. On a device it is proved at its first run. */
  | { readonly kind: 'freeze'; readonly graph: string; readonly feeds: Tensors }
  /** The name of the first tensor of the state with a non-finite number, or ''. */
  | { readonly kind: 'check' };

export interface Losses {
  readonly losses: readonly number[];
  /** Of mixed precision, after the last step. */
  readonly scaling?: Scaling;
  /** What a proof on a device found, at a graph's first run. */
  readonly note?: string;
  /** Idle milliseconds before this job. */
  readonly idle?: number;
}

/** The result of each job. */
export interface Answers {
  readonly open: undefined;
  readonly close: undefined;
  readonly load: undefined;
  readonly save: undefined;
  readonly set: undefined;
  readonly train: Losses;
  readonly evaluate: Tensors;
  readonly freeze: Tensors;
  readonly check: string;
}

export interface Question {
  readonly id: number;
  readonly job: Job;
}

export type Answer =
  | { readonly id: number; readonly value: Answers[Job['kind']] }
  /** A LossgraftError crosses threads as its parts. */
  | { readonly id: number; readonly problem: Problem }
  | { readonly id: number; readonly error: string };
