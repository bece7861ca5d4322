import { join, relative } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import type { Part } from '../data/samples.ts';
import { LossgraftError } from '../errors.ts';
import type { Model } from '../model.ts';
import type { RunDecision } from '../records/decision.ts';
import type { Checkpoint } from '../records/run.ts';
import type { Schedule } from '../records/schedule.ts';
import type * as Drawing from '../report/index.ts';
import type { Preview, Report, ReportArm } from '../report/index.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import { RUN_FILE, recordIn } from '../runFolder/runFile.ts';
import type { Port } from '../runtime/session.ts';
import { refuseExisting } from '../write.ts';
import type { DividedData } from './data.ts';
import type { TrainOptions } from './options.ts';
import { versions } from './versions.ts';

/** The parts of a run that its page needs. */
export interface ReportedRun {
  readonly model: Model;
  readonly options: TrainOptions;
  readonly parts: DividedData;
  readonly ports: readonly Port[];
  readonly schedule: Schedule;
  /** Names of the losses, in the order of training. */
  readonly arms: readonly string[];
  readonly checkpoint: Checkpoint;
  readonly notes: readonly string[];
  /** The error that ended it. */
  readonly error?: string;
}

/** Class-weighted cross-entropy, see `bindArms`. */
const BASELINE = 'ce+inverse';

/** @throws LossgraftError `output-folder` if the page could not be written at the end. */
export function checkReport({ report }: TrainOptions): void {
  if (typeof report === 'string') refuseExisting(report, true);
}

/** Writes the run's page, unless none is wanted. @returns its path. @throws LossgraftError `write-failed` */
export async function reportRun(run: ReportedRun, onReport?: (report: Report) => void): Promise<string | null> {
  const { options } = run;
  if (options.report === false && !options.serve) return null;
  // Drawing needs libraries of its own.
  const drawing = await import('../report/index.ts');
  const report = await reportOf(run, drawing);
  onReport?.(report);
  if (options.report === false) return null;
  const path = options.report ?? join(options.folder, 'report.html');
  drawing.writeReport(path, report);
  return path;
}

async function reportOf(run: ReportedRun, { previewsOf, usualOf }: typeof Drawing): Promise<Report> {
  const { options, ports, parts } = run;
  const { outcome } = run.checkpoint;
  const { influence = null } = outcome ?? {};
  const wrong = outcome?.refit?.mistakes ?? outcome?.mistakes ?? [];
  const top = influence && 'top' in influence ? influence.top : [];
  const usual = usualOf(options.data, parts.train.rows);
  const preview = (part: Part, data: Dataset, rows: readonly { readonly row: number }[]) =>
    previewsOf(
      data,
      ports,
      part.samples,
      rows.map(({ row }) => row),
      usual,
    );
  const held = typeof options.validation === 'object' ? options.validation : options.data;
  const [judged, own] = parts.test && options.test ? [parts.test, options.test] : [parts.validation, held];
  const samples = withPreviews(top, await preview(parts.train, options.data, top));
  const mistakes = withPreviews(wrong, await preview(judged, own, wrong));
  return { ...factsOf(run), influence, samples, mistakes };
}

function withPreviews<T>(found: readonly T[], previews: readonly Preview[]): (T & { readonly preview: Preview })[] {
  return found.flatMap((one, i) => {
    const preview = previews[i];
    return preview ? [{ ...one, preview }] : [];
  });
}

/** Writes the page of a run that ended with an error, from its checkpoint. */
export async function reportBroken(run: Omit<ReportedRun, 'checkpoint'>, error: unknown): Promise<void> {
  if (!(error instanceof LossgraftError) || error.problem.code !== 'nan-loss') return;
  const checkpoint = new RunFolder(run.options.folder).checkpoint();
  if (checkpoint) await reportRun({ ...run, checkpoint, error: error.message });
}

/** Everything except the final measurements. */
export function factsOf(run: ReportedRun): Omit<Report, 'influence' | 'samples' | 'mistakes'> {
  const { model, options, parts, schedule, checkpoint, notes, error = null } = run;
  const { history, outcome, settings } = checkpoint;
  const { spell = (text: string) => text } = options.origin ?? {};
  const [given] = history;
  const [test, validated] = [outcome?.tests[0], outcome?.validation[0]];
  return {
    model: model.name,
    isDone: outcome !== null,
    isRunning: false,
    error: error === null ? null : spell(error),
    judgedOn: test ? 'test' : parts.folds ? 'out-of-fold' : 'validation',
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
    notes: notes.map(spell),
    decision: outcome ? spelled(outcome.decision, spell) : null,
    half: outcome?.half ?? null,
    refit: outcome?.refit ?? null,
    curves: outcome?.refit?.curves ?? outcome?.curves ?? null,
    origin: originOf(options.folder),
  };
}

function spelled(decision: RunDecision, spell: (text: string) => string): RunDecision {
  const { why, warning } = decision;
  return { ...decision, why: spell(why), warning: warning === null ? null : spell(warning) };
}

/** The origin of the run, from its record. */
function originOf(folder: string): Report['origin'] {
  const run = recordIn(folder);
  if (run === undefined) return null;
  const { command, workingFolder, notRepeatable } = run;
  const file = join(relative(workingFolder, run.folder), RUN_FILE);
  return { command, workingFolder, repeat: notRepeatable.length > 0 ? null : file };
}

/** The best epoch of a loss; for the one in training, the best so far. */
function armOf(name: string, index: number, { arm, best, bests, history, alphas, outcome }: Checkpoint): ReportArm {
  const taken = bests[index] ?? (arm === index ? best : null);
  const record = history.find((one) => one.arm === name && one.phase === 'loss' && one.epoch === taken?.epoch);
  const metrics = outcome?.tests[index + 1] ?? outcome?.validation[index + 1] ?? record ?? null;
  const isBaseline = index > 0 && name === BASELINE;
  return { name, isBaseline, epoch: record?.epoch ?? null, metrics, alpha: alphas[name] ?? null };
}
