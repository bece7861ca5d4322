import type { Sample } from '../calibration/fit.ts';
import { LEAST_PROBABILITY } from '../calibration/nodes.ts';
import { type Classifier, LABEL_INPUT, scoreBatches } from '../classifier/classifier.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import { LossgraftError } from '../errors.ts';
import { areKept, MAX_KEPT } from '../metrics/scored.ts';
import type { OptionsOf } from '../options/row.ts';
import type { scoringRows } from '../tables/evaluate.ts';

/** A model's scores of labelled data. */
export interface ReadSample {
  /** The basis of the fit: logits, or the logarithms of probabilities of at least {@link LEAST_PROBABILITY}. */
  readonly sample: Sample;
  /** The model's own scores: the same, or the logarithms of its unclipped probabilities. */
  readonly given: Sample;
  readonly areProbabilities: boolean;
  readonly names: readonly string[] | undefined;
  readonly notes: readonly string[];
}

/** The logits and labels of all data, in memory. @throws LossgraftError for too many. */
export async function readSample(
  classifier: Classifier,
  given: Dataset,
  options: OptionsOf<typeof scoringRows>,
): Promise<ReadSample> {
  const { data, size, notes, batches } = await labelledScores(classifier, given, options);
  let sample: Sample | undefined;
  let areProbabilities = false;
  for await (const batch of batches) {
    const { classes, logits, labels, start } = batch;
    if (batch.isTurned) throw turned(classifier);
    areProbabilities = batch.areLogs;
    sample ??= { logits: new Float64Array(size * classes), labels: new Int32Array(size), classes };
    sample.logits.set(Float64Array.from(logits), start * classes);
    sample.labels.set(Int32Array.from(labels, Number), start);
  }
  if (sample === undefined) throw new RangeError('no batch');
  const fitted = areProbabilities ? { ...sample, logits: sample.logits.map(atLeast) } : sample;
  return { sample: fitted, given: sample, areProbabilities, names: data.classNames, notes };
}

/** Scores of samples whose labels are aligned with the classes. */
export interface LabelledScores {
  readonly data: Dataset;
  /** The number of samples. */
  readonly size: number;
  /** All notes so far. The batches add theirs. */
  readonly notes: readonly string[];
  readonly batches: ReturnType<typeof scoreBatches>;
}

/** Scores of all samples, few enough to be kept. @throws LossgraftError from the first batch for too many. */
export async function labelledScores(
  classifier: Classifier,
  given: Dataset,
  options: OptionsOf<typeof scoringRows>,
  recorded: readonly string[] = [],
): Promise<LabelledScores> {
  const { names, labelInput: input = LABEL_INPUT, task, classes } = classifier;
  const data = await alignLabels(given, { names, input, task, classes });
  const notes: string[] = [];
  const onNotes = (more: readonly string[]): void => {
    for (const note of more.filter((each) => !notes.includes(each))) {
      notes.push(note);
      options.onNote?.(note);
    }
  };
  onNotes([...classifier.notes, ...recorded]);
  const size = (data.columns.get(input) ?? data.columns.get(LABEL_INPUT))?.dims[0] ?? 0;
  const batches = scoreBatches(classifier, data, true, { ...options, onNotes });
  return { data, size, notes, batches: keepable(batches, data.name, size) };
}

async function* keepable(batches: ReturnType<typeof scoreBatches>, where: string, size: number): typeof batches {
  for await (const batch of batches) {
    if (!areKept(size, batch.classes)) throw tooMany(where, size, batch.classes);
    yield batch;
  }
}

function atLeast(log: number): number {
  return Math.max(log, Math.log(LEAST_PROBABILITY));
}

function turned({ model, output }: Classifier): LossgraftError {
  return new LossgraftError({
    code: 'not-calibrated',
    where: `${model}, output "${output}"`,
    expected: 'scores of which the highest is the label that the model gives',
    found: 'scores of two classes that are the other way round',
    hint: 'Calibrate it where it was trained: export SVC(probability=True) of scikit-learn, or a CalibratedClassifierCV of it',
  });
}

function tooMany(where: string, size: number, classes: number): LossgraftError {
  return new LossgraftError({
    code: 'data-size',
    where,
    expected: `at most ${MAX_KEPT} scores, all samples and classes together`,
    found: `${size} × ${classes}`,
    hint: 'Some of the samples are enough for so few numbers',
  });
}
