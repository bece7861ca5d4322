/** A candidate class of a sample. */
export interface Candidate {
  readonly class: string;
  readonly index: number;
  readonly probability: number;
}

/** A model's prediction for a sample. */
export interface Prediction extends Candidate {
  /** Counted from 0, in the order of the data. */
  readonly row: number;
  /** The file, if samples are files. */
  readonly source: string | undefined;
  /** The `topK` likeliest classes, in descending order. */
  readonly top: readonly Candidate[];
  /** The probabilities of all classes by index, if requested. */
  readonly probabilities: Float64Array | undefined;
  /** For a multi-label model: the labels whose probabilities reach their thresholds, by index. */
  readonly labels?: readonly Candidate[];
}

/** A summary of all predictions. */
export interface PredictSummary {
  readonly model: string;
  readonly data: string;
  readonly samples: number;
  /** For a multi-label model: the probability thresholds of the labels. */
  readonly thresholds?: readonly number[];
  /** How often each class was predicted, by its index. */
  readonly predicted: readonly number[];
  /** The mean probability of the predicted classes. */
  readonly confidence: number;
  /** The names of all classes, by index, or their indices. */
  readonly classNames: readonly string[];
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** The content of prediction files. */
export interface Layout {
  readonly topK: number;
  /** Whether they have the probabilities of all classes. */
  readonly areAll: boolean;
  /** Whether samples may have several labels. */
  readonly isMultiLabel: boolean;
  /** Whether samples are files. */
  readonly hasSource: boolean;
  /** Unique names of all classes; known from the first batch on. */
  classNames(): readonly string[];
}

/** Receives predictions, and summarises them after the last. */
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
