import type { Classifier } from '../classifier/classifier.ts';
import { openClassifier, type ScoredBatch, scoreBatches } from '../classifier/classifier.ts';
import { recordedNotes } from '../classifier/recorded.ts';
import type { Dataset } from '../data/dataset.ts';
import { LossgraftError, option } from '../errors.ts';
import { settleProvider } from '../lower/provider.ts';
import { sigmoidsInto } from '../metrics/labelled.ts';
import { softmaxInto } from '../metrics/scored.ts';
import { thresholdPolicy } from '../metrics/thresholdChoice.ts';
import { modelHash, type OpenedModel, opened } from '../model.ts';
import { badOption, checkOptions } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import type { PartInputs } from '../parts/format.ts';
import { type MergedParts, openParts } from '../parts/merged.ts';
import { checkedPart, type PartOptions, type PartReport, partInputs, writePart } from '../parts/write.ts';
import { predictRows } from '../tables/predict.ts';
import type { WriteOptions } from '../write.ts';
import { printInto, writePredictions } from './formats.ts';
import type { Candidate, Prediction, PredictionStream, PredictSummary } from './prediction.ts';

export type PredictOptions = OptionsOf<typeof predictRows>;
export type PredictPartOptions = PredictOptions & PartOptions;

/** Lazy predictions: the model runs while they are read or written, and memory holds one batch. */
export interface Predictions {
  /** In the order of the data, a batch at a time. */
  batches(): AsyncGenerator<readonly Prediction[]>;
  /**
   * Writes them to a .csv, .jsonl or .parquet file, completely or not at all. @throws LossgraftError `predictions-format`,
   * `output-exists`.
   */
  write(path: string, options?: Pick<WriteOptions, 'force'>): Promise<PredictSummary>;
  /** Writes CSV, piece by piece. */
  writeCsv(write: (text: string) => void | Promise<void>): Promise<PredictSummary>;
}

/** See src/laterVerbs.ts. */
export async function predict(given: OpenedModel, data: Dataset, options: PredictOptions = {}): Promise<Predictions> {
  checkOptions(predictRows, options);
  const classifier = await classifierFor(given, data, options);
  const { parts } = options;
  const inputs = parts === undefined ? undefined : await inputsOf(given, data, options);
  const merged = (): MergedParts | undefined =>
    parts === undefined || inputs === undefined ? undefined : openParts(parts, inputs);
  // Parts that do not belong together are refused before anything is read.
  merged()?.close();
  const stream = (): PredictionStream => streamOf(new Predictor(classifier, data, options), data, options, merged());
  return {
    batches: () => stream().batches(),
    write: (path, { force = false } = {}) => writePredictions(stream(), path, force),
    writeCsv: (write) => printInto(stream(), write),
  };
}

/** See src/laterVerbs.ts. */
export async function predictPart(given: OpenedModel, data: Dataset, options: PredictPartOptions): Promise<PartReport> {
  const { part, ...others } = checkedPart(predictRows, options);
  const classifier = await classifierFor(given, data, others);
  const { provider } = await settleProvider(others.provider);
  const inputs = await inputsOf(given, data, others);
  return writePart({ ...part, inputs, provider }, async (passOf) => {
    const onNotes = (notes: readonly string[]): void => notes.forEach((note) => void others.onNote?.(note));
    onNotes(classifier.notes);
    for await (const _ of scoreBatches(classifier, data, false, { ...others, pass: passOf('own'), onNotes }));
  });
}

async function inputsOf(model: OpenedModel, data: Dataset, options: PredictOptions): Promise<PartInputs> {
  return partInputs({ command: 'predict', model: await modelHash(opened(model)), data, options });
}

async function classifierFor(given: OpenedModel, data: Dataset, options: PredictOptions): Promise<Classifier> {
  const classNames = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  const classifier = await openClassifier(opened(given), { logits: options.logits, classNames, task: options.task });
  if (classifier.task === 'exclusive' && options.threshold !== undefined)
    throw badOption(
      'threshold',
      'a multi-label model; exclusive classes are predicted by the highest score',
      'one of exclusive classes',
    );
  if (options.threshold === 'tune')
    throw badOption('threshold', 'numbers: labels to tune them by are not read here', 'tune');
  if (classifier.classes !== undefined) checkTopK(options, classifier.classes);
  return classifier;
}

function streamOf(
  predictor: Predictor,
  data: Dataset,
  options: PredictOptions,
  merged: MergedParts | undefined,
): PredictionStream {
  const notes: string[] = [];
  const { classifier } = predictor;
  const layout = {
    topK: options.topK ?? predictRows.topK.default,
    areAll: options.probabilities ?? false,
    isMultiLabel: classifier.task === 'multi-label',
    hasSource: data.describeRow !== undefined,
    classNames: () => distinct(predictor.names),
  };
  return {
    layout,
    batches: () => makeBatches(predictor, data, { ...options, merged }, notes),
    summary: () => ({ model: classifier.model, data: data.name, ...predictor.summary(), notes }),
  };
}

async function* makeBatches(
  predictor: Predictor,
  data: Dataset,
  { merged, ...options }: PredictOptions & { readonly merged: MergedParts | undefined },
  notes: string[],
): AsyncGenerator<readonly Prediction[]> {
  const onNotes = (more: readonly string[]): void => {
    for (const note of more) options.onNote?.(note);
    notes.push(...more);
  };
  const { classifier } = predictor;
  onNotes(classifier.notes);
  if (options.threshold === undefined) onNotes(recordedNotes(classifier.thresholds));
  try {
    const pass = merged?.pass('own');
    for await (const batch of scoreBatches(classifier, data, false, { ...options, pass, onNotes })) {
      yield predictor.predict(batch);
    }
    onNotes(merged?.notes ?? []);
  } finally {
    merged?.close();
  }
}

class Predictor {
  readonly classifier: Classifier;
  readonly #data: Dataset;
  readonly #options: PredictOptions;
  #predicted: number[] = [];
  #thresholds: readonly number[] = [];
  #samples = 0;
  #confidence = 0;
  /** The names of all classes, by index; known from the first batch on. */
  names: readonly string[] = [];

  constructor(classifier: Classifier, data: Dataset, options: PredictOptions) {
    this.classifier = classifier;
    this.#data = data;
    this.#options = options;
  }

  predict({ classes, logits, start, count }: ScoredBatch): Prediction[] {
    if (this.#samples === 0) {
      checkTopK(this.#options, classes);
      this.names = namesOf(this.classifier, classes);
      this.#predicted = Array<number>(classes).fill(0);
      this.#thresholds = this.#thresholdsFor(classes);
    }
    const into = this.classifier.task === 'exclusive' ? softmaxInto : sigmoidsInto;
    return Array.from({ length: count }, (_, i) =>
      this.#prediction(start + i, into(new Float64Array(classes), logits, i * classes)),
    );
  }

  #thresholdsFor(classes: number): readonly number[] {
    const { task, thresholds, names } = this.classifier;
    if (task === 'exclusive') return [];
    const policy = thresholdPolicy(this.#options.threshold ?? thresholds, { classes, names: names?.names });
    return policy === 'tune' ? [] : policy;
  }

  #prediction(row: number, probabilities: Float64Array): Prediction {
    const { topK = predictRows.topK.default, probabilities: areAll = false } = this.#options;
    const [first = 0, ...others] = likeliest(probabilities, topK);
    const candidate = (index: number): Candidate => ({
      class: this.names[index] ?? String(index),
      index,
      probability: probabilities[index] ?? Number.NaN,
    });
    const best = candidate(first);
    this.#samples++;
    this.#confidence += best.probability;
    const isMultiLabel = this.classifier.task === 'multi-label';
    const taken = Array.from(probabilities.keys()).filter((k) => (probabilities[k] ?? 0) >= (this.#thresholds[k] ?? 1));
    for (const k of isMultiLabel ? taken : [first]) this.#predicted[k] = (this.#predicted[k] ?? 0) + 1;
    const source = this.#data.describeRow?.(row);
    const top = [best, ...others.map(candidate)];
    const found = { row, source, ...best, top, probabilities: areAll ? probabilities : undefined };
    return isMultiLabel ? { ...found, labels: taken.map(candidate) } : found;
  }

  summary(): Pick<PredictSummary, 'samples' | 'predicted' | 'confidence' | 'classNames' | 'thresholds'> {
    const confidence = this.#confidence / this.#samples;
    const ofLabels = this.classifier.task === 'multi-label' ? { thresholds: this.#thresholds } : {};
    return { ...ofLabels, samples: this.#samples, predicted: this.#predicted, confidence, classNames: this.names };
  }
}

/** Names that several classes have, with their indices. */
function distinct(names: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return names.map((name, k) => (counts.get(name) === 1 ? name : `${name} (${k})`));
}

/** The first of equals. */
function likeliest(probabilities: Float64Array, count: number): number[] {
  if (count === 1) {
    let best = 0;
    for (let k = 1; k < probabilities.length; k++) if ((probabilities[k] ?? 0) > (probabilities[best] ?? 0)) best = k;
    return [best];
  }
  const order = Array.from(probabilities.keys());
  return order.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b).slice(0, count);
}

function namesOf({ names, model }: Classifier, classes: number): readonly string[] {
  if (names === undefined || names.arePlaceholders) return Array.from({ length: classes }, (_, k) => String(k));
  if (names.names.length === classes) return names.names;
  throw new LossgraftError({
    code: 'class-count-mismatch',
    where: model,
    expected: `${classes} class names, one for each score`,
    found: `${names.names.length}, by ${names.from}`,
    hint: `Name all classes in the order of the scores with ${option('classes')}`,
  });
}

function checkTopK({ topK }: PredictOptions, classes: number): void {
  if (topK === undefined || topK <= classes) return;
  throw badOption('topK', `at most ${classes}, the classes of the model`, topK);
}
