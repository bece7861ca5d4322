import { gatherEvidence, orderNote } from '../classes/evidence.ts';
import { classNames } from '../classes/names.ts';
import { findWrongOrder } from '../classes/order.ts';
import { orderProblem } from '../classes/orderProblem.ts';
import { type Classifier, LABEL_INPUT, openClassifier, scoreBatches } from '../classifier/classifier.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import { LossgraftError } from '../errors.ts';
import { areKept, Collector, MAX_KEPT, type Scored } from '../metrics/scored.ts';
import { type OpenedModel, opened } from '../model.ts';
import { badOption, checkOptions } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import {
  confusionMatrix,
  type DetailedMetrics,
  detailedMetricsOf,
  type Mistake,
  mistakesOf,
} from '../records/metrics.ts';
import type { Provider } from '../runtime/session.ts';
import { evaluateRows } from '../tables/evaluate.ts';
import { matchClasses } from './match.ts';

export type EvaluateOptions = OptionsOf<typeof evaluateRows> & {
  /** Another model of the same classes, judged on the same samples. The comparison says what the first one gains over it. */
  readonly against?: OpenedModel;
};

/** A model's figures on the data. */
export interface Evaluated {
  readonly model: string;
  /** The tensor that was judged, and how it was found. */
  readonly scores: { readonly output: string; readonly how: string };
  /** `change` compares with the model that it is judged against, and is `null` without one. */
  readonly metrics: DetailedMetrics;
}

export interface EvaluateResult extends Evaluated {
  readonly data: string;
  readonly samples: number;
  readonly provider: Provider;
  /** Of all classes, by label; `null` where nothing tells them. */
  readonly classNames: readonly string[] | null;
  /** Samples of each class. */
  readonly classCounts: readonly number[];
  /** The most frequent mistakes, the most frequent first. */
  readonly mistakes: readonly Mistake[];
  readonly against: Evaluated | null;
  /** By sample, in the order of the data: the class, the predicted one, and the probabilities of both. */
  readonly perSample: Readonly<{
    labels: Int32Array;
    predicted: Int32Array;
    confidence: Float64Array;
    truth: Float64Array;
  }>;
  /** What the user should know of. */
  readonly notes: readonly string[];
}

/**
 * Judges any classifier on labelled data: every metric with a 95 % interval, by class, the confusion of classes; with `against` beside another
 * model on the same samples, by a paired bootstrap and McNemar's test.
 *
 * @example
 * const result = await evaluate(model, await openData('test.npz'));
 * console.log(result.metrics.macroF1, result.metrics.intervals.macroF1);
 *
 * @throws LossgraftError for models that are no classifiers, data that don't fit the model, and labels that are not its classes.
 */
export async function evaluate(
  given: OpenedModel,
  data: Dataset,
  { against, ...options }: EvaluateOptions = {},
): Promise<EvaluateResult> {
  checkOptions(evaluateRows, options);
  const named = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  const first = await openClassifier(opened(given), { logits: options.logits, classNames: named });
  const other = against && (await openClassifier(opened(against)));
  const match = other && matchClasses(first, other);
  if (first.classes !== undefined) checkCosts(options, first.classes);
  const notes = noteKeeper(options.onNote);
  const own = await judge(first, data, { options, notes });
  checkCosts(options, own.scored.classes);
  const rival = other && (await judge(other, data, { options, notes, order: match?.order, names: own.names }));
  if (rival) refuseOthers(own.scored, rival.scored, other.model);
  notes.add([...(match?.notes ?? []), ...unrankedNotes(own.scored)]);
  const classCounts = countsOf(own.scored);
  const how = { trainCounts: classCounts, seed: options.seed ?? evaluateRows.seed.default, costs: options.costs };
  const metrics = detailedMetricsOf(own.scored, { ...how, ...(rival ? { before: rival.scored } : {}) });
  const { labels, predicted, confidence, truth, classes } = own.scored;
  return {
    ...about(first),
    data: data.name,
    samples: own.scored.size,
    provider: options.provider ?? 'cpu',
    classNames: own.names ?? null,
    classCounts,
    metrics,
    mistakes: mistakesOf(metrics.confusion ?? confusionMatrix(labels, predicted, classes), MISTAKES),
    against: other && rival ? { ...about(other), metrics: detailedMetricsOf(rival.scored, how) } : null,
    perSample: { labels, predicted, confidence, truth },
    notes: notes.all,
  };
}

const MISTAKES = 40;

function about({ model, output, how }: Classifier): Pick<Evaluated, 'model' | 'scores'> {
  return { model, scores: { output, how } };
}

interface Notes {
  readonly all: readonly string[];
  add(notes: readonly string[]): void;
}

/** Each note once. */
function noteKeeper(onNote: ((note: string) => void) | undefined): Notes {
  const all: string[] = [];
  const add = (notes: readonly string[]): void => {
    for (const note of notes.filter((each) => !all.includes(each))) {
      all.push(note);
      onNote?.(note);
    }
  };
  return { all, add };
}

interface Judging {
  readonly options: OptionsOf<typeof evaluateRows>;
  readonly notes: Notes;
  /** For each class of the first model this one's. */
  readonly order?: readonly number[] | undefined;
  /** What classes are called that the model does not name. */
  readonly names?: readonly string[] | undefined;
}

interface JudgedModel {
  readonly scored: Scored;
  readonly names: readonly string[] | undefined;
}

async function judge(
  classifier: Classifier,
  given: Dataset,
  { options, notes, order, names: others }: Judging,
): Promise<JudgedModel> {
  notes.add(classifier.notes);
  const { names: own, labelInput: input = LABEL_INPUT } = classifier;
  const isNamed = own !== undefined && !own.arePlaceholders;
  const names = isNamed || others === undefined ? own : classNames(others, 'the other model', true);
  const data = await alignLabels(given, { names, input });
  const scoring = { ...options, onNotes: notes.add };
  let collected: ReturnType<typeof collector> | undefined;
  for await (const batch of scoreBatches(classifier, data, true, scoring)) {
    collected ??= collector(sizeOf(data, input), batch.classes, data.name, order);
    collected.add(batch.logits, batch.labels, batch.start);
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
  return { scored: collected.scores.done(), names: data.classNames };
}

function sizeOf({ columns }: Dataset, input: string): number {
  return (columns.get(input) ?? columns.get(LABEL_INPUT))?.dims[0] ?? 0;
}

/** Collects batches, in the first model's order of classes. */
function collector(size: number, classes: number, where: string, order: readonly number[] | undefined) {
  const scores = new Collector(size, classes);
  const evidence = order === undefined ? gatherEvidence(classes) : undefined;
  const add = (logits: ArrayLike<number>, given: BigInt64Array, start: number): void => {
    const labels = Int32Array.from(given, Number);
    const wrong = labels.findIndex((label) => label >= classes);
    if (wrong >= 0) throw unknownLabel(`${where}, labels, row ${start + wrong}`, classes, labels[wrong] ?? 0);
    for (const [i, label] of labels.entries()) evidence?.add(label, logits, i * classes);
    const ownLabels = order === undefined ? labels : labels.map((label) => order.indexOf(label));
    scores.add(order === undefined ? logits : reordered(logits, order), ownLabels);
  };
  return { scores, evidence, add };
}

function reordered(logits: ArrayLike<number>, order: readonly number[]): Float64Array {
  const n = order.length;
  return Float64Array.from(logits, (_, i) => logits[i - (i % n) + (order[i % n] ?? 0)] ?? Number.NaN);
}

function countsOf({ labels, classes }: Scored): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

function unrankedNotes({ size, classes }: Scored): string[] {
  if (areKept(size, classes)) return [];
  const found = `${size} samples of ${classes} classes exceed the limit of ${MAX_KEPT} probabilities`;
  return [`PR-AUC and ROC-AUC are omitted: ${found}. Use fewer samples to get them`];
}

function checkCosts({ costs }: OptionsOf<typeof evaluateRows>, classes: number): void {
  if (costs === undefined || costs.length === classes) return;
  throw badOption('costs', `${classes} rows and columns, one for each class of the model`, `${costs.length}`);
}

function unknownLabel(where: string, classes: number, found: number): LossgraftError {
  return new LossgraftError({
    code: 'label-out-of-range',
    where,
    expected: `a class index among 0…${classes - 1}`,
    found: `${found}`,
    hint: 'Correct the label or remove the row: the model has no such class',
  });
}

function refuseOthers(own: Scored, rival: Scored, model: string): void {
  const row = own.labels.findIndex((label, i) => label !== rival.labels[i]);
  if (row < 0 && own.size === rival.size && own.classes === rival.classes) return;
  throw new LossgraftError({
    code: 'other-classes',
    where: `${model}, row ${Math.max(row, 0)}`,
    expected: `class ${own.labels[row] ?? own.classes}, as for the first model`,
    found: `${rival.labels[row] ?? rival.classes}`,
    hint: 'Compare models with the same classes',
  });
}
