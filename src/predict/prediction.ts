/** A class that a sample may be of. */
export interface Candidate {
  readonly class: string;
  readonly index: number;
  readonly probability: number;
}

/** What a model says of a sample. */
export interface Prediction extends Candidate {
  /** Counted from 0, in the order of the data. */
  readonly row: number;
  /** The file, where samples are files. */
  readonly source: string | undefined;
  /** The likeliest classes, the likeliest first; `topK` of them. */
  readonly top: readonly Candidate[];
  /** Of all classes by index, where they are requested. */
  readonly probabilities: Float64Array | undefined;
  /** Of a multi-label model: those whose probability reaches their thresholds, by index. */
  readonly labels?: readonly Candidate[];
}

/** What was predicted, as a whole. */
export interface PredictSummary {
  readonly model: string;
  readonly data: string;
  readonly samples: number;
  /** Of a multi-label model: the probabilities from which on labels are predicted. */
  readonly thresholds?: readonly number[];
  /** How often each class was predicted, by its index. */
  readonly predicted: readonly number[];
  /** The mean probability of what was predicted. */
  readonly confidence: number;
  /** Of all classes, by index: what they are called, or their indices. */
  readonly classNames: readonly string[];
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** What files of predictions hold. */
export interface Layout {
  readonly topK: number;
  /** Whether they have the probabilities of all classes. */
  readonly areAll: boolean;
  /** Whether samples may have several labels. */
  readonly isMultiLabel: boolean;
  /** Whether samples are files. */
  readonly hasSource: boolean;
  /** Of all classes, each other than the others; known from the first batch on. */
  classNames(): readonly string[];
}

/** Predictions as they come, and what is told of all of them after the last. */
export interface PredictionStream {
  readonly layout: Layout;
  batches(): AsyncGenerator<readonly Prediction[]>;
  summary(): PredictSummary;
}

/** Takes predictions, in the order of the data. */
export interface PredictionWriter {
  add(predictions: readonly Prediction[]): void | Promise<void>;
  /** After the last one. */
  end(): void;
}
