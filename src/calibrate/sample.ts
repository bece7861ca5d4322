import { type Classifier, LABEL_INPUT, scoreBatches } from '../classifier/classifier.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import { LossgraftError, option } from '../errors.ts';
import { areKept, MAX_KEPT } from '../metrics/scored.ts';
import type { OptionsOf } from '../options/row.ts';
import type { scoringRows } from '../tables/evaluate.ts';
import type { Sample } from './fit.ts';

/** The logits and labels of all data, in memory. @throws LossgraftError for too many, and for models that give probabilities alone. */
export async function readSample(
  classifier: Classifier,
  given: Dataset,
  options: OptionsOf<typeof scoringRows>,
): Promise<{
  readonly sample: Sample;
  readonly names: readonly string[] | undefined;
  readonly notes: readonly string[];
}> {
  const { names, labelInput: input = LABEL_INPUT } = classifier;
  const data = await alignLabels(given, { names, input });
  const notes: string[] = [];
  const onNotes = (more: readonly string[]): void => {
    for (const note of more.filter((each) => !notes.includes(each))) {
      notes.push(note);
      options.onNote?.(note);
    }
  };
  onNotes(classifier.notes);
  const size = (data.columns.get(input) ?? data.columns.get(LABEL_INPUT))?.dims[0] ?? 0;
  let sample: Sample | undefined;
  for await (const batch of scoreBatches(classifier, data, true, { ...options, onNotes })) {
    const { classes, logits, labels, start } = batch;
    if (batch.areLogs) throw givesProbabilities(classifier);
    if (!areKept(size, classes)) throw tooMany(data.name, size, classes);
    sample ??= { logits: new Float64Array(size * classes), labels: new Int32Array(size), classes };
    sample.logits.set(Float64Array.from(logits), start * classes);
    sample.labels.set(Int32Array.from(labels, Number), start);
  }
  if (sample === undefined) throw new RangeError('no batch');
  return { sample, names: data.classNames, notes };
}

function givesProbabilities({ model, output }: Classifier): LossgraftError {
  return new LossgraftError({
    code: 'not-calibrated',
    where: `${model}, output "${output}"`,
    expected: 'logits, which go into a softmax',
    found: 'probabilities that the file makes otherwise',
    hint: `Name the scores before, if the model has some, with ${option('logits')}`,
  });
}

function tooMany(where: string, size: number, classes: number): LossgraftError {
  return new LossgraftError({
    code: 'data-size',
    where,
    expected: `at most ${MAX_KEPT} scores, all samples and classes together`,
    found: `${size} × ${classes}`,
    hint: 'A part of the samples is enough for so few numbers',
  });
}
