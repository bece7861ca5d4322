import type { ClassNames } from '../classes/names.ts';
import { drawnCounts, drawnLabels, type Sampler } from '../data/sampler.ts';
import { type Model, modelFile, modelHash } from '../model.ts';
import { complete, ownSettings } from '../options/check.ts';
import type { RunFile } from '../records/runFile.ts';
import { recordIn } from '../runFolder/runFile.ts';
import { recallNote } from '../runFolder/tensorboard.ts';
import { explainLength } from '../runtime/longestRow.ts';
import { trainerRows } from '../tables/train/trainer.ts';
import { trainRows } from '../tables/train.ts';
import type { TrainerRequest } from '../trainer/request.ts';
import { readsSoftLabels } from '../trainer/softTargets.ts';
import { checkStored } from '../transform/widen.ts';
import { type Arms, bindArms } from './bindArms.ts';
import { calibrationNotes } from './calibration.ts';
import { checkMetrics } from './checkMetrics.ts';
import { orderCheck } from './classes.ts';
import type { DividedData } from './data.ts';
import { defined } from './defined.ts';
import { describeSampler } from './drawn.ts';
import { type Matched, matchedData } from './matched.ts';
import { newHead } from './newHead.ts';
import type { Catalogue, OrderedTrainOptions, TrainOptions } from './options.ts';
import type { BuiltHead } from './otherClasses.ts';
import { describePlan, type Plan, planOf } from './plan.ts';
import { refitChoice } from './refit.ts';
import { checkReport } from './report.ts';
import { describeRun, differences } from './runFile.ts';
import { settledPlan } from './settledPlan.ts';
import { describeSoft } from './softLabels.ts';
import { standardise } from './standardise.ts';
import { judgedBy, type Subject, subjectOf } from './subject.ts';

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
  const subject = await subjectOf(catalogue, source, asGiven);
  const matched = await matchedData(subject);
  const shaped = await shapedModel(catalogue, subject, matched);
  const settled = await settledRun(catalogue, subject, matched, shaped.model);
  const { given, labels, head } = subject;
  const { options, parts, names } = matched;
  const { plan, softLabels, drawnBy } = settled;
  const found = [...folderNotes, ...subject.notes, ...shaped.headNotes, ...matched.notes, ...shaped.scaleNotes];
  const ownNotes = [...new Set(found), ...settled.notes];
  for (const note of ownNotes) options.onNote?.(note);
  const counted = { counts: parts.counts, samples: parts.train.rows.length };
  const bound = bindArms(catalogue, options, plan, { ...counted, softLabels, drawnBy });
  const record = await describeRun(catalogue, { model: source, given, plan, declared: bound.declared });
  const compared = comparedNotes(given, record);
  for (const note of compared) options.onNote?.(note);
  const asked = { ...options, selectBy: plan.selectBy, task: labels.task };
  const unranked = checkMetrics(asked, parts.validation.rows.length, labels.classes);
  const request = await requestOf({ subject, matched, shaped, settled, bound });
  const settings = await settingsOf(source, options, plan, { ...parts.settings, ...shaped.settings }, bound);
  return {
    request: { ...request, record, settings: { ...settings, ...(head ? { head: head.record } : {}) } },
    options,
    plan,
    parts,
    bound,
    names,
    notes: [...ownNotes, ...compared],
    lastNotes: [recallNote(labels.classes), unranked].filter((note) => note !== undefined),
    head: shaped.head,
  };
}

/** The model to train: with scaled inputs and a head of other classes, where they are requested. */
interface Shaped {
  readonly model: Model;
  readonly head: BuiltHead | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly headNotes: readonly string[];
  readonly scaleNotes: readonly string[];
}

async function shapedModel(
  catalogue: Catalogue,
  { source, given, proposed: { seed }, labels, head }: Subject,
  { options, parts, ports, batchSize }: Matched,
): Promise<Shaped> {
  const scaled = options.standardize
    ? await standardise(source, ports, { options, parts, seed, hasOtherClasses: head !== undefined })
    : undefined;
  const before = scaled?.model ?? source;
  const built = await head?.build(before, parts.train, { batchSize, seed });
  const model = built?.model ?? before;
  return {
    model,
    head: built,
    settings: scaled?.settings ?? {},
    headNotes: built
      ? [...built.notes, ...(await judgedBy(catalogue, model, { ...given, task: labels.task })).notes]
      : [],
    scaleNotes: scaled?.notes ?? [],
  };
}

/** What is chosen from data and network. */
interface Settled {
  readonly plan: Plan;
  readonly softLabels: boolean;
  readonly refit: TrainerRequest['refit'];
  /** Training samples of each class in an epoch. */
  readonly drawnBy: (sampler: Sampler) => readonly number[];
  readonly notes: readonly string[];
}

async function settledRun(
  catalogue: Catalogue,
  { given, proposed, labels: { classes, task } }: Subject,
  { options, parts, batchSize }: Matched,
  model: Model,
): Promise<Settled> {
  const drawnBy = (sampler: Sampler): readonly number[] =>
    task === 'multi-label' ? drawnLabels(parts.train, sampler) : drawnCounts(parts.counts, sampler);
  const planned = task === proposed.task ? proposed : planOf(given, task);
  const plan = await settledPlan(model, options, { ...planned, batchSize }, parts);
  const calibrated = await calibrationNotes(model, options, parts, classes);
  const { samples } = parts.train;
  const softLabels = readsSoftLabels(plan.augmentation, samples);
  const { refit, notes: refitted } = refitChoice(catalogue, options, plan, parts, softLabels);
  const notes = [
    ...describePlan(plan),
    ...describeSampler(options, parts.counts, drawnBy),
    ...describeSoft(plan.augmentation, samples),
    ...calibrated,
    ...refitted,
  ];
  return { plan, softLabels, refit, drawnBy, notes };
}

interface Pieces {
  readonly subject: Subject;
  readonly matched: Matched;
  readonly shaped: Shaped;
  readonly settled: Settled;
  readonly bound: Arms;
}

async function requestOf({ subject, matched, shaped, settled, bound }: Pieces): Promise<TrainRequest> {
  const { source, given, provider, head, labels } = subject;
  const { options, names, thresholds, batchSize } = matched;
  const { model } = shaped;
  const { plan, refit } = settled;
  return {
    model,
    modelPath: source.path,
    ...(head ? { changedHead: head.record } : {}),
    ...bound,
    ...dataOf(given, matched),
    ...(refit ? { refit } : {}),
    ...(thresholds === undefined ? {} : { thresholds }),
    ...(options.freshHead
      ? { newHead: await newHead(model, { logits: options.logits, classes: labels.classes, seed: plan.seed }) }
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
    selectBy: plan.selectBy,
    ...defined({
      checkOrder: orderCheck(model, options, names, labels.classes),
      onNote: options.onNote,
      names,
    }),
  };
}

function dataOf(given: TrainOptions, { options, ports, parts }: Matched): RequestedData {
  return {
    data: options.data,
    ports,
    train: parts.train,
    validation: parts.validation,
    ...(parts.test ? { test: parts.test } : {}),
    trainCounts: parts.counts,
    isHeldOut: typeof options.validation !== 'object',
    hasOneSource: typeof given.validation !== 'object' || given.validation === given.data,
  };
}

type TrainRequest = Omit<TrainerRequest, 'record' | 'settings'>;

type RequestedData = Pick<
  TrainRequest,
  'data' | 'ports' | 'train' | 'validation' | 'test' | 'trainCounts' | 'isHeldOut' | 'hasOneSource'
>;

/** Explains an error of a run if it comes from a text that is too long for the model. */
export function explained(error: unknown, { request, options }: PreparedRun): Promise<unknown> {
  const { model, train } = request;
  const first = () => train.samples.read(train.rows.slice(0, 1));
  return explainLength(error, modelFile(model), first, options.data.name);
}

/** How the run differs from the one it repeats or resumes. */
function comparedNotes({ origin, folder, mode }: TrainOptions, record: RunFile): readonly string[] {
  const before = origin?.repeats ?? (mode === 'resume' ? recordIn(folder) : undefined);
  return before === undefined ? [] : differences(before, record);
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
