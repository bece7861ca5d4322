import { type Classifier, openClassifier } from '../classifier/classifier.ts';
import type { Dataset } from '../data/dataset.ts';
import { hotOf, type LabelLists } from '../data/labelLists.ts';
import { type LabelsShown, labelsShown } from '../data/labelsShown.ts';
import { LossgraftError, option } from '../errors.ts';
import { settleProvider } from '../lower/provider.ts';
import { type AnyScored, areKept, MAX_KEPT } from '../metrics/scored.ts';
import { modelHash, type OpenedModel, opened } from '../model.ts';
import { badOption, checkOptions } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import type { PartInputs, PassName } from '../parts/format.ts';
import { openParts } from '../parts/merged.ts';
import type { Pass } from '../parts/pass.ts';
import { partInputs } from '../parts/write.ts';
import {
  confusionMatrix,
  type DetailedMetrics,
  detailedMetricsOf,
  type Mistake,
  mistakesOf,
} from '../records/metrics.ts';
import type { Provider } from '../runtime/session.ts';
import { evaluateRows } from '../tables/evaluate.ts';
import { judge, noteKeeper } from './judge.ts';
import { matchClasses } from './match.ts';

export type EvaluateOptions = OptionsOf<typeof evaluateRows> & {
  /** Another model of the same classes, judged on the same samples. The comparison shows what the first one gains over it. */
  readonly against?: OpenedModel | undefined;
};

/** A model's figures on the data. */
export interface Evaluated {
  readonly model: string;
  /** The tensor that was judged, and how it was found. */
  readonly scores: { readonly output: string; readonly how: string };
  /** `change` compares with the other model, and is `null` without one. */
  readonly metrics: DetailedMetrics;
}

export interface EvaluateResult extends Evaluated {
  readonly data: string;
  readonly samples: number;
  readonly provider: Provider;
  /** The names of all classes, by label; `null` if unknown. */
  readonly classNames: readonly string[] | null;
  /** Samples of each class. */
  readonly classCounts: readonly number[];
  /** The most frequent mistakes, in descending order. */
  readonly mistakes: readonly Mistake[];
  readonly against: Evaluated | null;
  /**
   * By sample, in the order of the data: the class, the predicted one, and the probabilities of both. If samples may have several labels,
   * all four are [N, C]: 0 and 1, the probability of the label, and the probability of its true value.
   */
  readonly perSample: Readonly<{
    labels: Int32Array;
    predicted: Int32Array;
    confidence: Float64Array;
    truth: Float64Array;
  }>;
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** See src/laterVerbs.ts. */
export async function evaluate(
  given: OpenedModel,
  data: Dataset,
  { against, ...options }: EvaluateOptions = {},
): Promise<EvaluateResult> {
  checkOptions(evaluateRows, options);
  const { parts } = options;
  if (parts === undefined) return evaluateWith(given, data, { ...options, against }, () => undefined);
  const merged = openParts(parts, await inputsOf(given, data, { ...options, against }));
  try {
    const result = await evaluateWith(given, data, { ...options, against }, merged.pass);
    return { ...result, notes: [...result.notes, ...merged.notes] };
  } finally {
    merged.close();
  }
}

/** What the scores of a part depend on. */
export async function inputsOf(
  given: OpenedModel,
  data: Dataset,
  { against, ...options }: EvaluateOptions,
): Promise<PartInputs> {
  const other = against === undefined ? null : await modelHash(opened(against));
  const model = await modelHash(opened(given));
  return partInputs({ command: 'evaluate', model, against: other, data, options });
}

interface Opened {
  readonly first: Classifier;
  readonly other: Classifier | undefined;
}

/** @throws LossgraftError for models that are no classifiers, or of other classes or another task than the data. */
export async function classifiersFor(
  given: OpenedModel,
  data: Dataset,
  { against, ...options }: EvaluateOptions,
): Promise<Opened> {
  const named = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  const shown = await labelsShown(data);
  const task = options.task ?? (shown === 'multi-hot' ? 'multi-label' : undefined);
  const first = await openClassifier(opened(given), { logits: options.logits, classNames: named, task });
  const other = against && (await openClassifier(opened(against), { task }));
  refuseForTask(first, options, shown, data.name);
  if (first.classes !== undefined) checkCosts(options, first.classes);
  return { first, other };
}

async function evaluateWith(
  given: OpenedModel,
  data: Dataset,
  options: EvaluateOptions,
  passOf: (name: PassName) => Pass | undefined,
): Promise<EvaluateResult> {
  const { first, other } = await classifiersFor(given, data, options);
  const match = other && matchClasses(first, other);
  const notes = noteKeeper(options.onNote);
  const pass = passOf('own');
  // What was computed elsewhere asks for no device here.
  const settled = await settleProvider(pass?.provider ? 'cpu' : options.provider);
  notes.add(settled.notes);
  const provider = pass?.provider ?? settled.provider;
  const how = { options: { ...options, provider: settled.provider }, notes };
  const own = await judge(first, data, { ...how, pass });
  checkCosts(options, own.scored.classes);
  const order = match?.order;
  const rival = other && (await judge(other, data, { ...how, pass: passOf('against'), order, names: own.names }));
  if (rival) refuseOthers(own.scored, rival.scored, other.model);
  notes.add([...(match?.notes ?? []), ...unrankedNotes(own.scored)]);
  const classCounts = countsOf(own.scored);
  const measured = { trainCounts: classCounts, seed: options.seed ?? evaluateRows.seed.default, costs: options.costs };
  const metrics = detailedMetricsOf(own.scored, { ...measured, ...(rival ? { before: rival.scored } : {}) });
  return {
    ...about(first),
    data: data.name,
    samples: own.scored.size,
    provider,
    classNames: own.names ?? null,
    classCounts,
    metrics,
    mistakes: mistakesIn(own.scored, metrics),
    against: other && rival ? { ...about(other), metrics: detailedMetricsOf(rival.scored, measured) } : null,
    perSample: perSampleOf(own.scored),
    notes: notes.all,
  };
}

const MISTAKES = 40;

/** For exclusive classes: which class is predicted as which. */
function mistakesIn(scored: AnyScored, { confusion }: DetailedMetrics): readonly Mistake[] {
  if (scored.task === 'multi-label') return [];
  return mistakesOf(confusion ?? confusionMatrix(scored.labels, scored.predicted, scored.classes), MISTAKES);
}

function perSampleOf(scored: AnyScored): EvaluateResult['perSample'] {
  const { size, classes } = scored;
  if (scored.task === 'exclusive') {
    const { labels, predicted, confidence, truth } = scored;
    return { labels, predicted, confidence, truth };
  }
  const hot = (lists: LabelLists): Int32Array => Int32Array.from(hotOf(lists, size, classes));
  const labels = hot(scored.own);
  const confidence = Float64Array.from(scored.probabilities ?? []);
  const truth = confidence.map((p, i) => (labels[i] === 1 ? p : 1 - p));
  return { labels, predicted: hot(scored.chosen), confidence, truth };
}

/** @throws LossgraftError `task-mismatch` if the labels do not fit the head. */
function refuseForTask(
  { task, model, how }: Classifier,
  { threshold, costs }: OptionsOf<typeof evaluateRows>,
  shown: LabelsShown,
  where: string,
): void {
  if (task === 'exclusive') {
    if (threshold === undefined) return;
    throw badOption(
      'threshold',
      'a multi-label model; exclusive classes are predicted by the highest score',
      'one of exclusive classes',
    );
  }
  if (costs !== undefined) throw badOption('costs', 'exclusive classes', 'a multi-label model');
  if (shown !== 'indices') return;
  throw new LossgraftError({
    code: 'task-mismatch',
    where: `${where}, labels`,
    expected: `a row of 0 and 1 per sample, [N, C]: ${model} scores each label on its own (${how})`,
    found: 'one label per sample',
    hint: `Name columns of 0 and 1 with ${option('labelColumns')}, or what separates several names with ${option('labelSeparator')}; if each sample has exactly one class, ${option('task', 'exclusive')}`,
  });
}

function about({ model, output, how }: Classifier): Pick<Evaluated, 'model' | 'scores'> {
  return { model, scores: { output, how } };
}

function countsOf(scored: AnyScored): number[] {
  return Array.from(scored.tally().totals);
}

function unrankedNotes({ size, classes }: AnyScored): string[] {
  if (areKept(size, classes)) return [];
  const found = `${size} samples of ${classes} classes exceed the limit of ${MAX_KEPT} probabilities`;
  return [`PR-AUC and ROC-AUC are omitted: ${found}. Use fewer samples to get them`];
}

function checkCosts({ costs }: OptionsOf<typeof evaluateRows>, classes: number): void {
  if (costs === undefined || costs.length === classes) return;
  throw badOption('costs', `${classes} rows and columns, one for each class of the model`, `${costs.length}`);
}

function refuseOthers(own: AnyScored, rival: AnyScored, model: string): void {
  const row = own.strata.findIndex((label, i) => label !== rival.strata[i]);
  if (row < 0 && own.size === rival.size && own.classes === rival.classes) return;
  throw new LossgraftError({
    code: 'other-classes',
    where: `${model}, row ${Math.max(row, 0)}`,
    expected: `class ${own.strata[row] ?? own.classes}, as for the first model`,
    found: `${rival.strata[row] ?? rival.classes}`,
    hint: 'Compare models with the same classes',
  });
}
