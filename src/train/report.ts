import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import type { Model } from '../model.ts';
import type { Checkpoint } from '../records/run.ts';
import type { Schedule } from '../records/schedule.ts';
import type { Report, ReportArm, ReportSample } from '../report/index.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import type { Port } from '../runtime/session.ts';
import { refuseExisting } from '../write.ts';
import type { Parts } from './data.ts';
import type { TrainOptions } from './options.ts';
import { versions } from './versions.ts';

/** A run as its page needs it. */
export interface ReportedRun {
  readonly model: Model;
  readonly options: TrainOptions;
  readonly parts: Parts;
  readonly ports: readonly Port[];
  readonly schedule: Schedule;
  /** Names of the losses, in the order in which they are trained. */
  readonly arms: readonly string[];
  readonly checkpoint: Checkpoint;
  readonly notes: readonly string[];
  /** What ended it. */
  readonly error?: string;
}

/** Class-weighted cross-entropy, see `bindArms`. */
const BASELINE = 'ce+inverse';

/** @throws LossgraftError `output-folder` where the page could not be written in the end. */
export function checkReport({ report }: TrainOptions): void {
  if (typeof report === 'string') refuseExisting(report, true);
}

/** Writes the run's page, unless none is wanted. @returns its path. @throws LossgraftError `write-failed` */
export async function reportRun(run: ReportedRun): Promise<string | null> {
  const { options } = run;
  if (options.report === false) return null;
  const path = options.report ?? join(options.folder, 'report.html');
  // Drawing stands on libraries of its own.
  const { previewsOf, writeReport } = await import('../report/index.ts');
  const { influence } = run.checkpoint.outcome ?? { influence: null };
  const top = influence && 'top' in influence ? influence.top : [];
  const rows = top.map(({ row }) => row);
  const previews = await previewsOf(options.data, run.ports, run.parts.train.samples, rows);
  const samples = top.flatMap((sample, i): ReportSample[] => {
    const preview = previews[i];
    return preview ? [{ ...sample, preview }] : [];
  });
  writeReport(path, { ...factsOf(run), influence, samples });
  return path;
}

/** Writes the page of a run that an error in training ended, from the checkpoint that it left. */
export async function reportBroken(run: Omit<ReportedRun, 'checkpoint'>, error: unknown): Promise<void> {
  if (!(error instanceof LossgraftError) || error.problem.code !== 'nan-loss') return;
  const checkpoint = new RunFolder(run.options.folder).checkpoint();
  if (checkpoint) await reportRun({ ...run, checkpoint, error: error.message });
}

function factsOf(run: ReportedRun): Omit<Report, 'influence' | 'samples'> {
  const { model, options, parts, schedule, checkpoint, notes, error = null } = run;
  const { history, outcome, settings } = checkpoint;
  const [given] = history;
  const [test, validated] = [outcome?.tests[0], outcome?.validation[0]];
  return {
    model: model.name,
    isDone: outcome !== null,
    error,
    judgedOn: test ? 'test' : 'validation',
    before: test ?? validated ?? (given?.phase === 'before' ? given : null),
    arms: run.arms.map((name, i) => armOf(name, i, checkpoint)),
    history,
    schedule,
    classes: parts.counts.map((count, k) => ({ name: options.data.classNames?.[k] ?? String(k), count })),
    sizes: {
      train: parts.train.rows.length,
      validation: parts.validation.rows.length,
      test: parts.test?.rows.length ?? null,
    },
    settings,
    versions: versions(),
    notes,
  };
}

/** The best epoch of a loss; of the one that is being trained, the best so far. */
function armOf(name: string, index: number, { arm, best, bests, history, alphas, outcome }: Checkpoint): ReportArm {
  const taken = bests[index] ?? (arm === index ? best : null);
  const record = history.find((one) => one.arm === name && one.phase === 'loss' && one.epoch === taken?.epoch);
  const metrics = outcome?.tests[index + 1] ?? outcome?.validation[index + 1] ?? record ?? null;
  const isBaseline = index > 0 && name === BASELINE;
  return { name, isBaseline, epoch: record?.epoch ?? null, metrics, alpha: alphas[name] ?? null };
}
