import { orderNote } from '../classes/evidence.ts';
import { type ClassNames, classNames } from '../classes/names.ts';
import { findWrongOrder } from '../classes/order.ts';
import { orderProblem } from '../classes/orderProblem.ts';
import { type Classifier, LABEL_INPUT, scoreBatches } from '../classifier/classifier.ts';
import { recordedNotes } from '../classifier/recorded.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import type { AnyScored } from '../metrics/scored.ts';
import { thresholdPolicy } from '../metrics/thresholdChoice.ts';
import { applyThresholds } from '../metrics/thresholds.ts';
import type { OptionsOf } from '../options/row.ts';
import type { Pass } from '../parts/pass.ts';
import type { evaluateRows } from '../tables/evaluate.ts';
import { type Collecting, collectorFor } from './collect.ts';

export interface Notes {
  readonly all: readonly string[];
  add(notes: readonly string[]): void;
}

/** Each note once. */
export function noteKeeper(onNote: ((note: string) => void) | undefined): Notes {
  const all: string[] = [];
  const add = (notes: readonly string[]): void => {
    for (const note of notes.filter((each) => !all.includes(each))) {
      all.push(note);
      onNote?.(note);
    }
  };
  return { all, add };
}

export interface Judging {
  readonly options: OptionsOf<typeof evaluateRows>;
  readonly notes: Notes;
  readonly pass?: Pass | undefined;
  /** This model's class for each class of the first one. */
  readonly order?: readonly number[] | undefined;
  /** Names for classes that the model does not name. */
  readonly names?: readonly string[] | undefined;
}

export interface JudgedModel {
  readonly scored: AnyScored;
  readonly names: readonly string[] | undefined;
}

/** Scores all rows, with the labels in the order of the model's classes. */
export async function judge(
  classifier: Classifier,
  given: Dataset,
  { options, notes, pass, order, names: others }: Judging,
): Promise<JudgedModel> {
  notes.add(classifier.notes);
  const { data, names, input } = await alignedFor(classifier, given, others);
  const scoring = { ...options, pass, onNotes: notes.add };
  let collected: Collecting | undefined;
  for await (const batch of scoreBatches(classifier, data, true, scoring)) {
    collected ??= collectorFor(classifier, sizeOf(data, input), batch.classes, data.name, order);
    collected.add(batch);
  }
  if (collected === undefined) throw new RangeError('no batch');
  const { evidence } = collected;
  const partial = evidence && orderNote(evidence.classes);
  if (partial !== undefined) notes.add([partial]);
  const wrong = evidence && findWrongOrder(evidence);
  if (wrong) {
    const called = { where: data.name, names: data.classNames, from: names?.from };
    notes.add([`THE LABELS SEEM WRONG, and so are all figures: ${orderProblem(wrong, called).message}`]);
  }
  const found = { classes: classifier.classes ?? collected.classes, names: data.classNames };
  const policy = thresholdPolicy(options.threshold ?? classifier.thresholds, found);
  const scored = collected.done();
  if (scored.task === 'exclusive') return { scored, names: data.classNames };
  if (options.threshold === undefined) notes.add(recordedNotes(classifier.thresholds));
  return { scored: applyThresholds(scored, policy), names: data.classNames };
}

/** The data with their labels in the order of a model's classes. */
export async function alignedFor(
  { names: own, labelInput: input = LABEL_INPUT, task, classes }: Classifier,
  given: Dataset,
  others: readonly string[] | undefined,
): Promise<{ readonly data: Dataset; readonly names: ClassNames | undefined; readonly input: string }> {
  const isNamed = own !== undefined && !own.arePlaceholders;
  const names = isNamed || others === undefined ? own : classNames(others, 'the other model', true);
  return { data: await alignLabels(given, { names, input, task, classes }), names, input };
}

function sizeOf({ columns }: Dataset, input: string): number {
  return (columns.get(input) ?? columns.get(LABEL_INPUT))?.dims[0] ?? 0;
}
