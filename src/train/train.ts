import { join } from 'node:path';
import type { Model } from '../model.ts';
import { checkOptions } from '../options/check.ts';
import type { RunDecision } from '../records/decision.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { FeatureReport } from '../records/features.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import type { DetailedMetrics } from '../records/metrics.ts';
import type { Checkpoint, HeadRecord, RefitRecord } from '../records/run.ts';
import type { Schedule } from '../records/schedule.ts';
import type { SeedSummary } from '../records/seeds.ts';
import { beginning } from '../runFolder/checkpoint.ts';
import { lockRun } from '../runFolder/lock.ts';
import { writeRunFile } from '../runFolder/runFile.ts';
import { trainRows } from '../tables/train.ts';
import type { TrainedRun } from '../trainer/request.ts';
import { runTraining } from '../trainer/runTraining.ts';
import { readsSoftLabels } from '../trainer/softTargets.ts';
import { widened } from '../transform/widen.ts';
import { refuseInput } from '../tuned/writeBack.ts';
import { type Arms, bindArms, type TrainingCounts } from './bindArms.ts';
import { withEvents } from './events.ts';
import { runFolds } from './folds.ts';
import { JOB_FILES } from './job/planFile.ts';
import { readJob, refuseOther, type WalkedJob } from './job/walked.ts';
import { LiveRun } from './live.ts';
import type { Catalogue, TrainOptions } from './options.ts';
import { planOf } from './plan.ts';
import { explained, type PreparedRun, prepareRun } from './prepare.ts';
import { reportBroken, reportRun } from './report.ts';
import { describeRun } from './runFile.ts';
import { seedOptions, summarise, writeSummary } from './seeds.ts';
import { writeRun } from './writeRun.ts';

export type { TrainOptions } from './options.ts';

/** One loss of a run. */
export interface TrainedArm {
  readonly name: string;
  /** The value of `alpha: 'auto'`. */
  readonly alpha: number | null;
  /** Its figures are from validation data; with folds from samples it was trained on: `judged` has those out of fold. */
  readonly best: EpochRecord;
  readonly last: EpochRecord;
  /** The best epoch on the test data. */
  readonly test: DetailedMetrics | null;
  /** The same, or on the validation data if there are no test data. */
  readonly judged: DetailedMetrics | null;
}

/** The result of fine-tuning. */
export interface TrainResult {
  /** Ended by the signal: `mode: 'resume'` continues. */
  readonly interrupted: boolean;
  readonly folder: string;
  /** The path of the page; `null` if none was requested. */
  readonly report: string | null;
  readonly schedule: Schedule;
  /** Training samples of each class. */
  readonly classCounts: readonly number[];
  readonly classNames: readonly string[] | null;
  /** Where the names of all classes were found; `null` unless all have one. */
  readonly classNamesFrom: string | null;
  /** The given model. */
  readonly before: {
    readonly validation: EpochRecord | null;
    readonly test: DetailedMetrics | null;
    readonly judged: DetailedMetrics | null;
  };
  /** The finished arms, the requested loss first. */
  readonly arms: readonly TrainedArm[];
  /** The trained head with other classes, and its initial rows; `null` if the model kept its classes. */
  readonly changedHead: HeadRecord | null;
  /** Which model is written, or why none: models are compared with the given one on the validation data. `null` if the run is not done. */
  readonly decision: RunDecision | null;
  /** Figures of the written model, if its weights are halfway between before and after. */
  readonly half: DetailedMetrics | null;
  /** What is written instead if the chosen training was repeated on all samples; otherwise `null`. */
  readonly refit: RefitRecord | null;
  readonly history: readonly EpochRecord[];
  /** The number of folds, if it was judged out of fold; `null` if data were held out. */
  readonly folds: number | null;
  /** The outcome of all seeds, if there are several; everything else is that of the chosen one, or of the first. `null` with one. */
  readonly seeds: SeedSummary | null;
  /** For training samples on the tuned model; `null` if the run is not done. */
  readonly influence: InfluenceOutcome | null;
  /** Whether the frozen layers were computed once per sample, and why; `null` if the run was done before. */
  readonly features: FeatureReport | null;
  readonly notes: readonly string[];
  /**
   * Writes the tuned model: the user's file, in which only the bytes of the trained tensors differ; its manifest holds known class names.
   *
   * @param options `anyway` writes the first loss's model even if the run found none that is better.
   * @returns the files that were written.
   * @throws LossgraftError `not-trained` after an interruption, `not-better` if no model was shown to be better than the given one, and
   * those of writing.
   */
  write(path: string, options?: { readonly force?: boolean; readonly anyway?: boolean }): Promise<readonly string[]>;
}

/**
 * Fine-tunes a model: trains with a loss (after an optional phase of cross-entropy) and with others from the same start, judges each
 * epoch on validation data, and keeps the best. A run depends only on its options: an interrupted and resumed one ends with the same
 * bytes.
 *
 * @throws LossgraftError `run-in-use` if another run writes into the folder; otherwise naming what cannot be trained, the row that does
 * not fit, or the step with a non-finite loss.
 */
export async function train(catalogue: Catalogue, model: Model, given: TrainOptions): Promise<TrainResult> {
  checkOptions(trainRows, given, () => true);
  return inFolder(catalogue, model, given);
}

/**
 * Judges what workers made of a job, and decides, reports and writes as `train` does after its own steps.
 *
 * @param given the options that the job was exported with.
 * @throws LossgraftError `bad-job`, `job-unfinished`, `job-changed`; and as `train` does.
 */
export async function collectJob(catalogue: Catalogue, model: Model, given: TrainOptions): Promise<TrainResult> {
  const job = readJob(given.folder);
  const options: TrainOptions = { ...given, refit: false, folder: join(given.folder, JOB_FILES.run), mode: 'replace' };
  checkOptions(trainRows, options, () => true);
  return inFolder(catalogue, model, options, job);
}

async function inFolder(
  catalogue: Catalogue,
  model: Model,
  given: TrainOptions,
  job?: WalkedJob,
): Promise<TrainResult> {
  const lock = lockRun(given.folder);
  const live = new LiveRun(given);
  try {
    const options = live.heard(withEvents(given));
    const notes = lock.note === undefined ? [] : [lock.note];
    const isOne = (options.seeds ?? 1) === 1;
    if (job) return await trainIn(catalogue, widened(model), options, notes, live, job);
    return await (isOne ? trainIn : trainSeeds)(catalogue, widened(model), options, notes, live);
  } finally {
    await live.close();
    lock.release();
  }
}

/** Fine-tunes in a folder that only this run uses, with `folderNotes` about it. */
async function trainIn(
  catalogue: Catalogue,
  source: Model,
  given: TrainOptions,
  folderNotes: readonly string[],
  live: LiveRun,
  job?: WalkedJob,
): Promise<TrainResult> {
  const { folder } = given;
  const own = await prepareRun(catalogue, source, given, folderNotes);
  const prepared = job ? walkedRun(own, job) : own;
  prepared.head?.save();
  const { request, options, plan, parts, bound, names } = prepared;
  const softLabels = readsSoftLabels(plan.augmentation, parts.train.samples);
  const { model } = request;
  const arms = bound.arms.map(({ name }) => name);
  const run = { model, options, parts, ports: request.ports, schedule: plan.schedule, arms };
  await live.open({ ...run, notes: prepared.notes });
  const trained = await trainFolded(prepared, (of) => bindArms(catalogue, options, plan, { ...of, softLabels })).catch(
    async (error: unknown) => {
      await reportBroken({ ...run, notes: prepared.notes }, error);
      throw await explained(error, prepared);
    },
  );
  const { checkpoint } = trained;
  const notes = [...new Set([...prepared.notes, ...trained.notes, ...prepared.lastNotes])];
  const report = await reportRun({ ...run, checkpoint, notes }, (page) => live.end(page));
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
    refit: checkpoint.outcome?.refit ?? null,
    history: checkpoint.history,
    folds: parts.folds?.length ?? null,
    seeds: null,
    influence: checkpoint.outcome?.influence ?? null,
    features: trained.features ?? null,
    notes,
    changedHead: request.changedHead ?? null,
    write: async (path, { force = false, anyway = false } = {}) => {
      refuseInput(source, path);
      return writeRun(request.model, folder, checkpoint, path, { force, anyway, names });
    },
  };
}

/** The run of a job, whose steps workers took. Their frozen layers were computed in each step. */
function walkedRun(prepared: PreparedRun, job: WalkedJob): PreparedRun {
  refuseOther(job, prepared);
  return { ...prepared, request: { ...prepared.request, walked: job.epochs, cacheFeatures: 'off' } };
}

/** The same with several seeds, one after the other. */
async function trainSeeds(
  catalogue: Catalogue,
  model: Model,
  given: TrainOptions,
  folderNotes: readonly string[],
  live: LiveRun,
): Promise<TrainResult> {
  const { folder, mode } = given;
  writeRunFile(
    folder,
    await describeRun(catalogue, { model, given, plan: planOf(given), declared: {} }),
    mode === 'resume',
  );
  // Only the model that is written is trained on all samples.
  const options = seedOptions(given).map((own) => ({ ...own, refit: false }));
  const results: TrainResult[] = [];
  for (const own of options) {
    const result = await trainIn(catalogue, model, own, folderNotes, live);
    if (result.interrupted) return { ...result, folder };
    results.push(result);
  }
  const seeds = summarise(results, options);
  writeSummary(folder, seeds);
  const index = Math.max(
    0,
    options.findIndex(({ seed }) => seed === seeds.chosen),
  );
  const [own, judged] = [options[index], results[index]];
  if (own === undefined || judged === undefined) throw new Error('no seeds');
  const { refit: _, ...meant } = own;
  const { refit } = given;
  const again = { ...meant, ...(refit === undefined ? {} : { refit }), mode: 'resume' } as const;
  const chosen = seeds.chosen === null ? judged : await trainIn(catalogue, model, again, folderNotes, live);
  return { ...chosen, folder, seeds, notes: [...new Set([...results, chosen].flatMap(({ notes }) => notes))] };
}

/** With folds these are trained first. */
async function trainFolded(
  { request, parts }: PreparedRun,
  boundFor: (of: TrainingCounts) => Arms,
): Promise<TrainedRun> {
  if (parts.folds === undefined) return runTraining(request);
  const outOfFold = await runFolds({ request, parts, boundFor });
  if (outOfFold === undefined) return { interrupted: true, checkpoint: beginning(request.settings), notes: [] };
  // Examined in the first fold, and written before it.
  const { checkOrder: _, record: __, ...rest } = request;
  return runTraining({ ...rest, outOfFold });
}

/** For the given model (0) and the arms (from 1 on). */
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
