import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Part } from '../data/samples.ts';
import { collapseOf } from '../metrics/collapse.ts';
import { isHarmed } from '../metrics/gate.ts';
import type { AnyScored } from '../metrics/scored.ts';
import { calibrationIn } from '../records/decision.ts';
import { detailedMetricsOf, metricsOf } from '../records/metrics.ts';
import type { Checkpoint, Outcome, RefitRecord, RunMode } from '../records/run.ts';
import { beginning, RunFolder } from '../runFolder/checkpoint.ts';
import type { Affine } from '../tuned/head.ts';
import { judgeCalibrated } from './calibrateScores.ts';
import { verdictOn } from './decide.ts';
import { curvesOf, surestMistakes } from './details.ts';
import { mayBeOfRate } from './divergence.ts';
import { saveHalf } from './half.ts';
import { planned, type RunParts, type SampleChange } from './parts.ts';
import { judgeState } from './predictions.ts';
import type { TrainerRequest } from './request.ts';
import { Trainer } from './trainer.ts';

/** The folder in the run's folder, until the work is done. */
const FOLDER = 'refit';

/** Whether only the training on all samples is left of a run. */
export function isRefitDue({ outcome }: Checkpoint, { refit }: TrainerRequest): boolean {
  return refit !== undefined && outcome !== null && outcome.decision.taken !== null && outcome.refit === undefined;
}

/** The run without that training. */
export function asJudged(at: Checkpoint): Checkpoint {
  if (at.outcome?.refit === undefined) return at;
  const { refit: _, ...outcome } = at.outcome;
  return { ...at, outcome };
}

/**
 * Repeats the training that a run chose on all samples, including those that judged it, from the same weights and with the same schedule. No
 * data judge the result; it is only checked for signs of failure.
 *
 * @returns the checkpoint of the run with it; `undefined` if it was interrupted.
 */
export async function refitRun(parts: RunParts, at: Checkpoint, change: SampleChange): Promise<Checkpoint | undefined> {
  const { outcome } = at;
  if (outcome === null) throw new Error('a run that is not done');
  const again = partsOf(parts, outcome, change);
  const { request, folder } = again;
  const from = folder.begin(modeFor(folder, parts.request.mode, request), request.settings);
  const trained = await trainAgain(again, from ?? beginning(request.settings));
  if (trained === undefined) return undefined;
  const refit = typeof trained === 'string' ? without(again, trained) : await keep(parts, again, outcome, trained);
  const whole = { ...at, outcome: { ...outcome, refit } };
  parts.folder.commit(whole);
  rmSync(folder.path, { recursive: true, force: true });
  return whole;
}

/** What is reported of weights that nothing has judged. */
export function refitNotes({ outcome }: Checkpoint): string[] {
  if (outcome?.refit === undefined) return [];
  const { why, samples } = outcome.refit;
  if (why !== null)
    return [`The weights that were judged are written: trained once more on all ${samples} samples, ${why}`];
  const unjudged =
    'the held-out samples are among them, so figures of validation data are those of the weights before, trained without them';
  return [`The weights that are written were trained once more, on all ${samples} samples: ${unjudged}`];
}

/** The same training, with one loss, on all samples. */
function partsOf(parts: RunParts, { decision }: Outcome, change: SampleChange): RunParts {
  const { request, judging, known: _, ...rest } = parts;
  const { refit, test: __, record: ___, checkOrder: ____, onEpoch: _____, onProgress, ...given } = request;
  const name = decision.taken?.arm ?? '';
  const arm = refit?.arms.find((one) => one.name === name);
  if (refit === undefined || arm === undefined) throw new Error(`no loss ${name}`);
  // Graphs are kept by the names of their losses.
  const whole = `${name}, all samples`;
  const rows = Uint32Array.from([...given.train.rows, ...given.validation.rows]).sort();
  const own: TrainerRequest = {
    ...given,
    ...refit,
    arms: [{ ...arm, name: whole }],
    train: { ...given.train, rows },
    folder: join(request.folder, FOLDER),
    isRefit: true,
    settings: { ...request.settings, refit: name },
    ...(onProgress ? { onProgress: (progress) => onProgress({ ...progress, arm: whole }) } : {}),
  };
  const folder = new RunFolder(own.folder, request.data.classNames);
  return planned({ ...rest, request: own, folder }, judging, change);
}

/** Starts again if it belongs to another run. */
function modeFor(folder: RunFolder, mode: RunMode, { settings }: TrainerRequest): RunMode {
  const found = mode === 'resume' ? folder.checkpoint() : undefined;
  return JSON.stringify(found?.settings) === JSON.stringify(settings) ? 'resume' : 'replace';
}

/** @returns the file of its state, or why there is none, as a phrase; `undefined` if it was interrupted. */
async function trainAgain(parts: RunParts, from: Checkpoint): Promise<{ readonly file: string } | string | undefined> {
  try {
    const { interrupted, checkpoint } = await new Trainer(parts, from).run();
    const [best] = checkpoint.bests;
    return interrupted || best === undefined ? undefined : { file: best.file };
  } catch (error) {
    if (mayBeOfRate(error)) return `its loss was not finite (${error.problem.where})`;
    throw error;
  }
}

function without({ request }: RunParts, why: string): RefitRecord {
  return { file: null, why, samples: request.train.rows.length, test: null };
}

/** The states that are compared, and the calibration of both. */
interface States {
  /** The weights that were judged; `undefined`: the given ones. */
  readonly judged: string | undefined;
  readonly refit: string;
  readonly map: Affine | undefined;
}

/** The map was fitted to what the judged weights say of the held-out samples: those trained on all samples say the like of new ones. */
function mapped(parts: RunParts, file: string | undefined, part: Part, map: Affine | undefined): Promise<AnyScored> {
  return map && file !== undefined ? judgeCalibrated(parts, file, part, map) : judgeState(parts, file, part);
}

/** Checks the trained weights, and copies their state into the run's folder. */
async function keep(
  parts: RunParts,
  again: RunParts,
  { decision }: Outcome,
  { file: whole }: { readonly file: string },
): Promise<RefitRecord> {
  const { runner, folder, request } = parts;
  const file = decision.taken?.share === 1 ? whole : await saveHalf(again, whole);
  const states = { judged: decision.file ?? undefined, refit: file, map: calibrationIn(decision) };
  const why = await failureOf(parts, again, states);
  if (why !== undefined) return without(again, why);
  const judged = request.test ? await judgedOn(request.test, parts, again, states) : { test: null };
  await runner.ask({ kind: 'load', path: again.folder.file(file) });
  const kept = folder.fresh('refit');
  await runner.ask({ kind: 'save', path: folder.file(kept) });
  return { file: kept, why: null, samples: again.request.train.rows.length, ...judged };
}

/** Results on data that no training had. Calibration and thresholds come from the judged weights' predictions for the held-out samples. */
async function judgedOn(
  test: Part,
  parts: RunParts,
  again: RunParts,
  { judged, refit, map }: States,
): Promise<Pick<RefitRecord, 'test' | 'curves' | 'mistakes'>> {
  const { trainCounts, seed, costs, validation } = parts.request;
  const before = await judgeState(parts, undefined, test);
  const after = await mapped(again, refit, test, map);
  const scored = { before, after, validation: await mapped(parts, judged, validation, map) };
  return {
    test: detailedMetricsOf(after, { trainCounts, seed, costs, before }),
    curves: curvesOf(scored, trainCounts),
    mistakes: surestMistakes(test, after),
  };
}

/**
 * It knows the held-out samples: where it is worse on them than the weights that do not, it failed. A calibration was fitted to these samples
 * and those weights, so it is left out of the comparison, but not of the look for a collapse.
 */
export async function failureOf(
  parts: RunParts,
  again: RunParts,
  { judged, refit, map }: States,
): Promise<string | undefined> {
  const { request } = parts;
  const { validation, trainCounts, goal, seed } = request;
  const given = await judgeState(parts, undefined, validation);
  const before = await judgeState(parts, judged, validation);
  const after = await judgeState(again, refit, validation);
  const written = map ? await mapped(again, refit, validation, map) : after;
  const lost = collapseOf(metricsOf(given, request), metricsOf(written, request), request.data.classNames);
  if (lost !== undefined) return lost;
  const verdict = verdictOn(before, after, { trainCounts, isSafe: true, goal, seed });
  return isHarmed(verdict)
    ? 'it is worse on the samples that were held out before, though it knows them now'
    : undefined;
}
