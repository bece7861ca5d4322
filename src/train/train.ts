import { fixedBatch, inputPorts } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import { type Model, modelFile, modelHash } from '../model.ts';
import { badOption, checkOptions, complete, ownSettings } from '../options/check.ts';
import type { RunDecision } from '../records/decision.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { FeatureReport } from '../records/features.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import type { DetailedMetrics } from '../records/metrics.ts';
import type { Checkpoint } from '../records/run.ts';
import type { RunFile } from '../records/runFile.ts';
import type { Schedule } from '../records/schedule.ts';
import { lockRun } from '../runFolder/lock.ts';
import { recordIn } from '../runFolder/runFile.ts';
import { recallNote } from '../runFolder/tensorboard.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import { explainLength } from '../runtime/longestRow.ts';
import { trainerRows } from '../tables/train/trainer.ts';
import { trainRows } from '../tables/train.ts';
import { runTraining } from '../trainer/runTraining.ts';
import { evaluationGraph } from '../trainGraph/evaluation.ts';
import { type Arms, bindArms } from './bindArms.ts';
import { checkMetrics } from './checkMetrics.ts';
import { alignData, orderCheck } from './classes.ts';
import { divide, type Parts } from './data.ts';
import { describeSampler } from './drawn.ts';
import { newHead } from './newHead.ts';
import type { Catalogue, TrainOptions } from './options.ts';
import { describePlan, type Plan, planOf } from './plan.ts';
import { checkReport, reportBroken, reportRun } from './report.ts';
import { describeRun, differences } from './runFile.ts';
import { settledPlan } from './settledPlan.ts';
import { writeRun } from './writeRun.ts';

export type { TrainOptions } from './options.ts';

/** One loss of a run. */
export interface TrainedArm {
  readonly name: string;
  /** What `alpha: 'auto'` came to. */
  readonly alpha: number | null;
  readonly best: EpochRecord;
  readonly last: EpochRecord;
  /** The best epoch on the test data. */
  readonly test: DetailedMetrics | null;
  /** The same, or on the validation data where there are no test data. */
  readonly judged: DetailedMetrics | null;
}

/** What fine-tuning came to. */
export interface TrainResult {
  /** Ended by the signal: `mode: 'resume'` goes on. */
  readonly interrupted: boolean;
  readonly folder: string;
  /** The page that was written; `null` where none was wanted. */
  readonly report: string | null;
  readonly schedule: Schedule;
  /** Training samples of each class. */
  readonly classCounts: readonly number[];
  readonly classNames: readonly string[] | null;
  /** Where the names of all classes were found; `null` where not all have one. */
  readonly classNamesFrom: string | null;
  /** The model as it was given. */
  readonly before: {
    readonly validation: EpochRecord | null;
    readonly test: DetailedMetrics | null;
    readonly judged: DetailedMetrics | null;
  };
  /** Those that are done: the loss that was asked for first. */
  readonly arms: readonly TrainedArm[];
  /** Which model is written, or why none is: it is held against the one before on the validation data. `null` where the run is not done. */
  readonly decision: RunDecision | null;
  /** Figures of what is written, where its weights are those half-way between before and after. */
  readonly half: DetailedMetrics | null;
  readonly history: readonly EpochRecord[];
  /** Of training samples on the tuned model; `null` where the run is not done. */
  readonly influence: InfluenceOutcome | null;
  /** Whether what is frozen was computed once for each sample, and why; `null` where the run was done before. */
  readonly features: FeatureReport | null;
  readonly notes: readonly string[];
  /**
   * Writes the tuned model: the user's file, in which only the trained tensors' bytes are other ones; class names that are known stand in its
   * manifest.
   *
   * @param options `anyway` writes the first loss's model also where the run came to none that is better.
   * @returns the files that were written.
   * @throws LossgraftError `not-trained` after an interruption, `not-better` where no model was shown to be better than the one before, and
   *   those of writing.
   */
  write(path: string, options?: { readonly force?: boolean; readonly anyway?: boolean }): Promise<readonly string[]>;
}

/**
 * Fine-tunes a model: trains with a loss (after a phase of cross-entropy, if asked for) and beside it with others from the same start,
 * judges each epoch on validation data, and keeps the best. What a run does is a function of its options: one that was interrupted
 * and goes on ends with the same bytes.
 *
 * @throws LossgraftError `run-in-use` where another run writes into the folder; else naming what cannot be trained, the data's row that does not fit, or the step at which a loss was not finite.
 */
export async function train(catalogue: Catalogue, model: Model, given: TrainOptions): Promise<TrainResult> {
  checkOptions(trainRows, given, () => true);
  const lock = lockRun(given.folder);
  try {
    return await trainIn(catalogue, model, withEvents(given), lock.note === undefined ? [] : [lock.note]);
  } finally {
    lock.release();
  }
}

/** The listeners of the single events, which the one for all hears too. */
function withEvents(options: TrainOptions): TrainOptions {
  const { onEvent, onNote, onFeatures, onProgress, onEpoch } = options;
  if (onEvent === undefined) return options;
  return {
    ...options,
    onNote: (text) => [onNote?.(text), onEvent({ kind: 'note', text })],
    onFeatures: (progress) => [onFeatures?.(progress), onEvent({ kind: 'features', ...progress })],
    onProgress: (progress) => [onProgress?.(progress), onEvent({ kind: 'step', ...progress })],
    onEpoch: (record) => [onEpoch?.(record), onEvent({ kind: 'epoch', ...record })],
  };
}

/** Fine-tunes in a folder that is this run's alone; `folderNotes` tell of it. */
async function trainIn(
  catalogue: Catalogue,
  model: Model,
  given: TrainOptions,
  folderNotes: readonly string[],
): Promise<TrainResult> {
  const { folder } = given;
  const proposed = planOf(given);
  checkReport(given);
  const judged = await judgedBy(catalogue, model, given);
  const { classes } = judged;
  const labels = { name: given.rename?.labels ?? 'labels', classes };
  const { options, names, notes: classNotes } = await alignData(model, given, labels);
  const ports = inputPorts(model, labels.name);
  refuseEmptyInputs(model.name, ports);
  const parts = await divide(options, ports, labels, proposed.seed);
  const dataNotes = [...new Set([...folderNotes, ...judged.notes, ...classNotes, ...parts.notes])];
  const batchSize = fixedBatch(ports) ?? proposed.batchSize;
  refuseBatch(options, batchSize);
  const plan = await settledPlan(model, options, { ...proposed, batchSize }, parts);
  const ownNotes = [...dataNotes, ...describePlan(plan), ...describeSampler(options, parts.counts)];
  for (const note of ownNotes) options.onNote?.(note);
  const bound = bindArms(catalogue, options, plan, parts.counts);
  const record = await describeRun(catalogue, { model, given, plan, declared: bound.declared });
  const compared = comparedNotes(given, record);
  for (const note of compared) options.onNote?.(note);
  const allNotes = [...ownNotes, ...compared];
  const unranked = checkMetrics({ ...options, selectBy: plan.selectBy }, parts.validation.rows.length, classes);
  const arms = bound.arms.map(({ name }) => name);
  const run = { model, options, parts, ports, schedule: plan.schedule, arms };
  const trained = await runTraining({
    model,
    ...bound,
    data: options.data,
    ports,
    train: parts.train,
    validation: parts.validation,
    ...(parts.test ? { test: parts.test } : {}),
    trainCounts: parts.counts,
    ...(options.freshHead
      ? { newHead: await newHead(model, { logits: options.logits, classes, seed: plan.seed }) }
      : {}),
    schedule: plan.schedule,
    batchSize,
    seed: plan.seed,
    augmentation: plan.augmentation,
    folder,
    mode: options.mode ?? 'new',
    ...complete(trainerRows, options),
    select: plan.select,
    goal: plan.goal,
    safeLoss: plan.safeLoss,
    takesBest: plan.method === 'auto',
    isHeldOut: typeof options.validation !== 'object',
    hasOneSource: typeof given.validation !== 'object' || given.validation === given.data,
    selectBy: plan.selectBy,
    ...defined({ checkOrder: orderCheck(model, options, names, classes), onNote: options.onNote, names }),
    record,
    settings: await settingsOf(model, options, plan, parts, bound),
  }).catch(async (error: unknown) => {
    await reportBroken({ ...run, notes: allNotes }, error);
    throw await explainLength(
      error,
      modelFile(model),
      () => parts.train.samples.read(parts.train.rows.slice(0, 1)),
      options.data.name,
    );
  });
  const { checkpoint } = trained;
  const untold = [recallNote(classes), unranked].filter((note) => note !== undefined);
  const notes = [...new Set([...allNotes, ...trained.notes, ...untold])];
  const report = await reportRun({ ...run, checkpoint, notes });
  return {
    interrupted: trained.interrupted,
    folder,
    report,
    schedule: plan.schedule,
    classCounts: parts.counts,
    classNames: options.data.classNames ?? null,
    classNamesFrom: names?.from ?? null,
    before: { validation: checkpoint.history[0] ?? null, ...judgedOf(checkpoint, 0) },
    arms: armsOf(bound, checkpoint),
    decision: checkpoint.outcome?.decision ?? null,
    half: checkpoint.outcome?.half ?? null,
    history: checkpoint.history,
    influence: checkpoint.outcome?.influence ?? null,
    features: trained.features ?? null,
    notes,
    write: async (path, { force = false, anyway = false } = {}) =>
      writeRun(model, folder, checkpoint, path, { force, anyway, names }),
  };
}

/**
 * How many classes the model tells apart, and what the user should know of its scores: found before data are opened.
 *
 * @throws LossgraftError `unknown-classes` where the logits do not say, and where nothing can be trained.
 */
async function judgedBy(
  catalogue: Catalogue,
  model: Model,
  options: TrainOptions,
): Promise<{ readonly classes: number; readonly notes: readonly string[] }> {
  const { logits, rename, keepTies, trainable = 'head' } = options;
  const ce = catalogue.losses.ce;
  if (!ce) throw new Error('the catalogue has no cross-entropy');
  const { ib_factor: _, ...names } = rename ?? {};
  const place = { ...defined({ logits, keepTies }), rename: names };
  const request = { loss: ce, lossOptions: {}, trainable, ...place };
  const { classes, head, notes } = await evaluationGraph(model, request, []);
  const isAssumed = head.kind === 'softmax' && !head.isStated;
  if (classes !== undefined) return { classes, notes: isAssumed ? [...notes, UNSTATED] : notes };
  throw new LossgraftError({
    code: 'unknown-classes',
    where: model.name,
    expected: 'logits [N, C] whose number of classes is known',
    found: 'a dimension that is not',
    hint: `Export the model with a fixed number of classes, or name scores that have one with ${option('logits')}`,
  });
}

/** How the run differs from the one that it repeats or resumes. */
function comparedNotes({ origin, folder, mode }: TrainOptions, record: RunFile): readonly string[] {
  const before = origin?.repeats ?? (mode === 'resume' ? recordIn(folder) : undefined);
  return before === undefined ? [] : differences(before, record);
}

const UNSTATED =
  'Neither a softmax nor a sigmoid follows the scores; lossgraft assumes exclusive classes, one per sample';

function refuseBatch({ batchSize }: TrainOptions, fixed: number): void {
  if (batchSize !== undefined && batchSize !== fixed)
    throw badOption('batchSize', `${fixed}, the fixed batch size of this model`, batchSize);
}

async function settingsOf(
  model: Model,
  options: TrainOptions,
  plan: Plan,
  parts: Parts,
  bound: Arms,
): Promise<Readonly<Record<string, unknown>>> {
  const made = { model: await modelHash(model), ...plan, ...parts.settings, ...bound.settings };
  const settings = { ...made, ...ownSettings(trainRows, options) };
  // As they come back from the file: without what is undefined, numbers as JSON has them.
  return JSON.parse(JSON.stringify(settings)) as Record<string, unknown>;
}

/** Of the model as it was given (0) and the arms (from 1 on). */
function judgedOf({ outcome }: Checkpoint, index: number): Pick<TrainedArm, 'test' | 'judged'> {
  const test = outcome?.tests[index] ?? null;
  return { test, judged: test ?? outcome?.validation[index] ?? null };
}

function armsOf({ arms }: Arms, checkpoint: Checkpoint): TrainedArm[] {
  const { bests, history, alphas } = checkpoint;
  return bests.flatMap((best, i) => {
    const name = arms[i]?.name ?? '';
    const own = history.filter(({ arm, phase }) => arm === name && phase === 'loss');
    const record = own.find(({ epoch }) => epoch === best.epoch);
    const last = own.at(-1);
    if (!record || !last) return [];
    return [{ name, alpha: alphas[name] ?? null, best: record, last, ...judgedOf(checkpoint, i + 1) }];
  });
}

function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
