import { configured, orderedBy } from '../bind.ts';
import type { ClassNames } from '../classes/names.ts';
import { drawnCounts, drawnLabels, type Sampler } from '../data/sampler.ts';
import { fixedBatch, inputPorts } from '../data/samples.ts';
import { preparationIn } from '../data/tables/preparation.ts';
import { LossgraftError, option } from '../errors.ts';
import { settleProvider } from '../lower/provider.ts';
import { manifestRecord } from '../manifest.ts';
import { thresholdPolicy } from '../metrics/thresholdChoice.ts';
import type { ThresholdPolicy } from '../metrics/thresholds.ts';
import { type Model, modelFile, modelHash } from '../model.ts';
import { changesHead } from '../newHead/choice.ts';
import { badOption, complete, ownSettings } from '../options/check.ts';
import type { RunFile } from '../records/runFile.ts';
import { recordIn } from '../runFolder/runFile.ts';
import { recallNote } from '../runFolder/tensorboard.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import { explainLength } from '../runtime/longestRow.ts';
import { trainerRows } from '../tables/train/trainer.ts';
import { trainRows } from '../tables/train.ts';
import type { Task } from '../task.ts';
import type { TrainerRequest } from '../trainer/request.ts';
import { readsSoftLabels } from '../trainer/softTargets.ts';
import { evaluationGraph } from '../trainGraph/evaluation.ts';
import { checkStored } from '../transform/widen.ts';
import { type Arms, bindArms } from './bindArms.ts';
import { calibrationNotes } from './calibration.ts';
import { checkMetrics } from './checkMetrics.ts';
import { alignData, orderCheck } from './classes.ts';
import { type DividedData, divide } from './data.ts';
import { describeSampler } from './drawn.ts';
import { foldChoice } from './folds.ts';
import { newHead } from './newHead.ts';
import type { Catalogue, OrderedTrainOptions, TrainOptions } from './options.ts';
import { type BuiltHead, headFor } from './otherClasses.ts';
import { describePlan, type Plan, planOf } from './plan.ts';
import { refitChoice } from './refit.ts';
import { checkReport } from './report.ts';
import { describeRun, differences } from './runFile.ts';
import { settledPlan } from './settledPlan.ts';
import { describeSoft, withHardLabels } from './softLabels.ts';
import { standardise } from './standardise.ts';
import { askedTask, checkLabels } from './task.ts';

/** A run ready to begin: everything known before the work is checked and reported. */
export interface PreparedRun {
  readonly request: TrainerRequest & { readonly record: RunFile };
  /** With labels matched to the model's classes. */
  readonly options: OrderedTrainOptions;
  readonly plan: Plan;
  readonly parts: DividedData;
  readonly bound: Arms;
  readonly names: ClassNames | undefined;
  /** Notes reported so far. */
  readonly notes: readonly string[];
  /** Notes for the end. */
  readonly lastNotes: readonly string[];
  /** A head with other classes, whose initial rows are saved in the folder before the run begins. */
  readonly head: BuiltHead | undefined;
}

/**
 * Checks the request, matches the data with the model, and chooses what is left open. @throws LossgraftError for what cannot be trained.
 */
export async function prepareRun(
  catalogue: Catalogue,
  source: Model,
  asGiven: TrainOptions,
  folderNotes: readonly string[],
): Promise<PreparedRun> {
  checkReport(asGiven);
  await checkStored(source);
  const { provider, notes: providerNotes } = await settleProvider(asGiven.provider);
  const name = asGiven.rename?.labels ?? 'labels';
  const { given: labelled, shown } = await withHardLabels(asGiven, name);
  const given = labelled.provider === undefined ? labelled : { ...labelled, provider };
  const { of: loss } = configured(catalogue.losses, given.loss ?? 'ce', 'loss');
  const asked = askedTask(source, given, loss.task === 'multi-label', shown);
  const proposed = planOf(given, asked);
  const known = asked === undefined ? given : { ...given, task: asked };
  // Refuses scores that cannot be read label by label before their layer is changed.
  const own = asked === 'multi-label' && changesHead(given) ? await judgedBy(catalogue, source, known) : undefined;
  const head = await headFor(source, given, name);
  const judged = head ?? (await judgedBy(catalogue, source, known));
  const { classes } = judged;
  const task = 'task' in judged ? judged.task : (asked ?? 'exclusive');
  const labels = { name, classes, task };
  const checked = 'task' in judged ? judged : own;
  const taskNotes = checked ? checkLabels(shown, task, given, checked) : [];
  const { options: aligned, names, notes: classNotes } = await alignData(source, given, labels, head);
  const options = orderedBy({ ...aligned, task }, () => names);
  refuseForLabels(options);
  const thresholds = thresholdsOf(options, { classes, names: names?.names ?? options.data.classNames });
  const ports = inputPorts(source, labels);
  refuseEmptyInputs(source.name, ports);
  const recorded = preparationIn(manifestRecord(source.proto), source.name);
  const choice = foldChoice(source, options, proposed, { classes, task, hasOtherClasses: head !== undefined });
  const seed = options.splitSeed ?? proposed.seed;
  const parts = await divide(options, ports, labels, { seed, recorded, foldsFor: choice.foldsFor });
  const batchSize = fixedBatch(ports) ?? proposed.batchSize;
  refuseBatch(options, batchSize);
  const scaled = options.standardize
    ? await standardise(source, ports, { options, parts, seed: proposed.seed, hasOtherClasses: head !== undefined })
    : undefined;
  const before = scaled?.model ?? source;
  const built = await head?.build(before, parts.train, { batchSize, seed: proposed.seed });
  const model = built?.model ?? before;
  const builtNotes = built ? [...built.notes, ...(await judgedBy(catalogue, model, { ...given, task })).notes] : [];
  const said = [
    ...folderNotes,
    ...providerNotes,
    ...judged.notes,
    ...taskNotes,
    ...builtNotes,
    ...classNotes,
    ...parts.notes,
    ...choice.notes,
    ...(scaled?.notes ?? []),
  ];
  const dataNotes = [...new Set(said)];
  const drawnBy = (sampler: Sampler): readonly number[] =>
    task === 'multi-label' ? drawnLabels(parts.train, sampler) : drawnCounts(parts.counts, sampler);
  const planned = task === proposed.task ? proposed : planOf(given, task);
  const plan = await settledPlan(model, options, { ...planned, batchSize }, parts);
  const calibrated = await calibrationNotes(model, options, parts, classes);
  const softLabels = readsSoftLabels(plan.augmentation, parts.train.samples);
  const { refit, notes: refitted } = refitChoice(catalogue, options, plan, parts, softLabels);
  const ownNotes = [
    ...dataNotes,
    ...describePlan(plan),
    ...describeSampler(options, parts.counts, drawnBy),
    ...describeSoft(plan.augmentation, parts.train.samples),
    ...calibrated,
    ...refitted,
  ];
  for (const note of ownNotes) options.onNote?.(note);
  const counted = { counts: parts.counts, samples: parts.train.rows.length };
  const bound = bindArms(catalogue, options, plan, { ...counted, softLabels, drawnBy });
  const record = await describeRun(catalogue, { model: source, given, plan, declared: bound.declared });
  const compared = comparedNotes(given, record);
  for (const note of compared) options.onNote?.(note);
  const notes = [...ownNotes, ...compared];
  const unranked = checkMetrics({ ...options, selectBy: plan.selectBy, task }, parts.validation.rows.length, classes);
  const request: PreparedRun['request'] = {
    model,
    modelPath: source.path,
    ...(head ? { changedHead: head.record } : {}),
    ...bound,
    data: options.data,
    ports,
    train: parts.train,
    validation: parts.validation,
    ...(parts.test ? { test: parts.test } : {}),
    trainCounts: parts.counts,
    ...(refit ? { refit } : {}),
    ...(thresholds === undefined ? {} : { thresholds }),
    ...(options.freshHead
      ? { newHead: await newHead(model, { logits: options.logits, classes, seed: plan.seed }) }
      : {}),
    schedule: plan.schedule,
    batchSize,
    seed: plan.seed,
    augmentation: plan.augmentation,
    folder: given.folder,
    mode: options.mode ?? 'new',
    ...complete(trainerRows, options),
    provider,
    select: plan.select,
    goal: plan.goal,
    safeLoss: head ? null : plan.safeLoss,
    takesBest: plan.method === 'auto',
    isHeldOut: typeof options.validation !== 'object',
    hasOneSource: typeof given.validation !== 'object' || given.validation === given.data,
    selectBy: plan.selectBy,
    ...defined({ checkOrder: orderCheck(model, options, names, classes), onNote: options.onNote, names }),
    record,
    settings: {
      ...(await settingsOf(source, options, plan, { ...parts.settings, ...scaled?.settings }, bound)),
      ...(head ? { head: head.record } : {}),
    },
  };
  const lastNotes = [recallNote(classes), unranked].filter((note) => note !== undefined);
  return { request, options, plan, parts, bound, names, notes, lastNotes, head: built };
}

/** Explains an error of a run if it comes from a text that is too long for the model. */
export function explained(error: unknown, { request, options }: PreparedRun): Promise<unknown> {
  const { model, train } = request;
  const first = () => train.samples.read(train.rows.slice(0, 1));
  return explainLength(error, modelFile(model), first, options.data.name);
}

/**
 * How many classes the model distinguishes, and notes on its scores: found before data are opened.
 *
 * @throws LossgraftError `unknown-classes` if the logits do not tell, and if nothing can be trained.
 */
async function judgedBy(
  catalogue: Catalogue,
  model: Model,
  options: TrainOptions,
): Promise<{
  readonly classes: number;
  readonly task: Task;
  readonly why: string;
  readonly notes: readonly string[];
}> {
  const { logits, rename, keepTies, task: asked, trainable = 'head' } = options;
  const ce = catalogue.losses.ce;
  if (!ce) throw new Error('the catalogue has no cross-entropy');
  const { ib_factor: _, ...names } = rename ?? {};
  const place = { ...defined({ logits, keepTies, task: asked }), rename: names };
  const request = { loss: ce, lossOptions: {}, trainable, ...place };
  const { classes, task, head, notes: all } = await evaluationGraph(model, request, []);
  // The loss used to examine heads here is arbitrary.
  const notes = all.filter((note) => !note.startsWith('ce on a multi-label head'));
  const isAssumed = head.kind === 'softmax' && !head.isStated;
  const why =
    head.kind !== 'sigmoid-multi-label'
      ? 'the head is for classes'
      : 'the head gives a score for each label on its own';
  if (classes !== undefined) return { classes, task, why, notes: isAssumed ? [...notes, UNSTATED] : notes };
  throw new LossgraftError({
    code: 'unknown-classes',
    where: model.name,
    expected: 'logits [N, C] whose number of classes is known',
    found: 'a dimension that is not',
    hint: `Export the model with a fixed number of classes, or name scores that have one with ${option('logits')}`,
  });
}

/** How the run differs from the one it repeats or resumes. */
function comparedNotes({ origin, folder, mode }: TrainOptions, record: RunFile): readonly string[] {
  const before = origin?.repeats ?? (mode === 'resume' ? recordIn(folder) : undefined);
  return before === undefined ? [] : differences(before, record);
}

const UNSTATED =
  'Neither a softmax nor a sigmoid follows the scores; lossgraft assumes exclusive classes, one per sample';

/** Options without meaning if samples may have several labels. */
function refuseForLabels({ task, imbalance, costs, threshold }: TrainOptions): void {
  if (task === 'exclusive') {
    if (threshold !== undefined)
      throw badOption(
        'threshold',
        'a multi-label model; exclusive classes are predicted by the highest score',
        threshold,
      );
    return;
  }
  const expected = 'exclusive classes; these samples may have several labels';
  if (imbalance !== undefined) throw badOption('imbalance', expected, imbalance);
  if (costs !== undefined) throw badOption('costs', expected, 'costs');
}

function thresholdsOf(
  { task, threshold }: TrainOptions,
  labels: Parameters<typeof thresholdPolicy>[1],
): ThresholdPolicy | undefined {
  return task === 'multi-label' ? thresholdPolicy(threshold, labels) : undefined;
}

function refuseBatch({ batchSize }: TrainOptions, fixed: number): void {
  if (batchSize !== undefined && batchSize !== fixed)
    throw badOption('batchSize', `${fixed}, the fixed batch size of this model`, batchSize);
}

async function settingsOf(
  model: Model,
  options: TrainOptions,
  plan: Plan,
  parts: Readonly<Record<string, unknown>>,
  bound: Arms,
): Promise<Readonly<Record<string, unknown>>> {
  const made = { model: await modelHash(model), ...plan, ...parts, ...bound.settings };
  const settings = { ...made, ...ownSettings(trainRows, options) };
  // As read back from the file: without undefined values, and with JSON's numbers.
  return JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
}

function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
