import { option } from '../errors.ts';
import { collapseOf, onlyClass } from '../metrics/collapse.ts';
import { type GateRequest, type GateVerdict, gainOf, gate, isHarmed } from '../metrics/gate.ts';
import { labelGate } from '../metrics/labelGate.ts';
import { judged, METRICS } from '../metrics/metrics.ts';
import type { AnyScored } from '../metrics/scored.ts';
import { type Newness, newnessOf, type Sureness, surenessOf } from '../metrics/seen.ts';
import type { Candidate, RunDecision } from '../records/decision.ts';
import type { Goal } from '../records/methods.ts';
import { metricsOf } from '../records/metrics.ts';
import type { Checkpoint, HeadRecord } from '../records/run.ts';
import { type Calibrated, calibrateScores, judgeLogits } from './calibrateScores.ts';
import { HALF, saveHalf } from './half.ts';
import { spreadRows } from './influence.ts';
import type { RunParts } from './parts.ts';
import { judgeState } from './predictions.ts';
import type { TrainerRequest } from './request.ts';

/** A candidate, and its state's file. */
interface Tried extends Candidate {
  readonly file: string;
  /** The rank among accepted candidates. */
  readonly score: number;
  readonly calibrated: Calibrated | undefined;
  /** If samples may have several labels. */
  readonly thresholds?: readonly number[];
}

/** The outcome of a run, and its calibrated states, by file. */
export interface Decided {
  readonly decision: RunDecision;
  readonly calibrated: ReadonlyMap<string, Calibrated>;
}

/**
 * Compares the trained models with the given one on validation data: the run chooses the best one that the gate takes. If it takes none,
 * the halfway weights are tried.
 */
export async function decideRun(parts: RunParts, at: Checkpoint): Promise<Decided> {
  const { request } = parts;
  const before = await judgeState(parts, undefined, request.validation);
  const known = parts.known ? undefined : await onTraining(parts);
  const newness = known ? newnessOf(lossesOf(before), lossesOf(known), before.classes + 1) : OUT_OF_FOLD;
  const files = at.bests.slice(0, request.takesBest ? undefined : 1).map(({ file }) => file);
  const tried: Tried[] = [];
  for (const [i, file] of files.entries()) tried.push(await tryState(parts, before, i, file, 1));
  let taken = bestOf(request, tried);
  if (taken === undefined) {
    for (const [i, file] of files.entries()) {
      if (tried[i]?.verdict.decision === 'untold') continue;
      const half = await tryState(parts, before, i, await halfOf(parts, i, file), HALF);
      tried.push(half);
      taken = bestOf(request, [half]);
      if (taken) break;
    }
  }
  const sureness = known && taken === undefined ? suspicion(request, newness, [before, known]) : undefined;
  const isFlattered = sureness !== undefined;
  if (isFlattered)
    taken = tried.find(({ arm, share, collapse }) => arm === request.safeLoss && share === 1 && !collapse);
  const candidates = tried.map(({ file: _, score: __, calibrated: ___, thresholds: ____, ...candidate }) => candidate);
  const decision = {
    taken: taken ? { arm: taken.arm, share: taken.share } : null,
    file: taken?.file ?? null,
    ...(taken?.thresholds ? { thresholds: taken.thresholds } : {}),
    why: isFlattered && taken ? flattered(taken, sureness) : sentenceOf(parts, taken ?? tried[0], taken !== undefined),
    candidates,
    ...(request.changedHead ? { startIsWritten: taken === undefined && isUsable(request.changedHead) } : {}),
    newness: newness.z,
    warning: warningOf(parts, before, taken === undefined, newness),
  };
  const calibrated = tried.flatMap((one) => (one.calibrated ? [[one.file, one.calibrated] as const] : []));
  return { decision, calibrated: new Map(calibrated) };
}

/** The halfway state, and its results out of fold. */
async function halfOf(parts: RunParts, index: number, file: string): Promise<string> {
  const half = await saveHalf(parts, file);
  const own = parts.request.outOfFold?.arms[index];
  if (own) parts.known?.set(half, own.half);
  return half;
}

async function tryState(
  parts: RunParts,
  before: AnyScored,
  index: number,
  file: string,
  share: number,
): Promise<Tried> {
  const { request } = parts;
  const { after, own } = await judgeTried(parts, file);
  const { classNames } = request.data;
  const arm = request.arms[index]?.name ?? '';
  const { trainCounts, goal, seed } = request;
  const how = { trainCounts, ...(classNames ? { classNames } : {}), isSafe: arm === request.safeLoss, goal, seed };
  const verdict = verdictOn(before, after, how);
  const metric = request.goal === 'macro-f1' ? METRICS.macroF1 : METRICS.balancedAccuracy;
  const score = metric.of(judged(after)) ?? Number.NaN;
  const collapse = collapseOf(metricsOf(before, request), metricsOf(after, request), classNames);
  const calibration = own ? { calibration: own.record } : {};
  const thresholds = after.task === 'multi-label' ? { thresholds: Array.from(after.thresholds) } : {};
  const found = { arm, share, verdict, collapse: collapse ?? null, ...calibration, file, score, ...thresholds };
  return { ...found, calibrated: own?.calibrated };
}

/** Uses the gate for the task. */
export function verdictOn(
  before: AnyScored,
  after: AnyScored,
  how: Omit<GateRequest, 'labels' | 'before' | 'after' | 'classes'>,
): GateVerdict {
  if (before.task === 'multi-label' && after.task === 'multi-label') return labelGate({ ...how, before, after });
  if (before.task === 'exclusive' && after.task === 'exclusive') {
    const { labels, classes } = before;
    return gate({ ...how, labels, classes, before: before.predicted, after: after.predicted });
  }
  throw new RangeError('two models of different tasks');
}

/** A state's results on the validation data, calibrated if that is requested and helps. */
async function judgeTried(
  parts: RunParts,
  file: string,
): Promise<{ readonly after: AnyScored; readonly own: ReturnType<typeof calibrateScores> | undefined }> {
  const { request, runner, folder } = parts;
  const { validation, calibrate } = request;
  // Logits of all samples are kept only for a calibration.
  if (calibrate === undefined) return { after: await judgeState(parts, file, validation), own: undefined };
  await runner.ask({ kind: 'load', path: folder.file(file) });
  const { scored, sample } = await judgeLogits(parts, validation);
  const own = calibrateScores(request, calibrate, sample);
  return { after: own.calibrated?.validation ?? scored, own };
}

/** The accepted candidate with the highest score, the first of equals. */
export function bestOf<T extends Pick<Tried, 'arm' | 'verdict' | 'collapse' | 'score'>>(
  request: Pick<TrainerRequest, 'changedHead' | 'goal' | 'safeLoss'>,
  tried: readonly T[],
): T | undefined {
  const able = tried.filter(({ arm, verdict, collapse }) => {
    const { decision } = verdict;
    if (collapse !== null) return false;
    // A new head has nothing to lose: training counts if the figures improve, however few samples show it.
    if (request.changedHead) return gainOf(request.goal, verdict) > 0;
    return decision === 'take' || (decision === 'untold' && arm === request.safeLoss && !isHarmed(verdict));
  });
  return able.reduce<T | undefined>((best, one) => (best && one.score <= best.score ? best : one), undefined);
}

function againstStart(goal: Goal, verdict: GateVerdict): string {
  const what = goal === 'macro-f1' ? 'the mean of balanced accuracy and macro-F1' : 'balanced accuracy';
  const points = 100 * gainOf(goal, verdict);
  const sign = points < 0 ? '−' : '+';
  const better = goal === 'macro-f1' ? verdict.jointBetter : verdict.balancedAccuracyBetter;
  const likely = `better with a probability of ${Math.round(100 * better)} %`;
  return `${what} changed against the new last layer before training by ${sign}${Math.abs(points).toFixed(1)} points, ${likely}`;
}

function sentenceOf({ request }: RunParts, tried: Tried | undefined, isTaken: boolean): string {
  if (tried === undefined) return 'nothing was trained';
  const { arm, share, verdict, collapse } = tried;
  const what = `with ${share === 1 ? arm : `${arm} and weights half-way between before and after`}${calibratedBy(tried)}`;
  if (collapse !== null) return `${what}, the tuned model has collapsed (${collapse})`;
  if (request.changedHead) return `${what}, ${againstStart(request.goal, verdict)}`;
  const isTold = verdict.decision !== 'untold';
  const isSafe = arm === request.safeLoss;
  if (isTaken && isSafe && (!isTold || gainOf(request.goal, verdict) < 0))
    return `${what}, ${verdict.why}; ${HARMLESS}`;
  const safe = isTold || isSafe ? '' : '; this method is not among those that harmed no measured model';
  return `${what}, ${verdict.why}${safe}`;
}

const HARMLESS = 'this method harmed none of 67 measured models';

function calibratedBy({ calibration }: Candidate): string {
  if (calibration === undefined) return '';
  const { method, parameter, decision, why } = calibration;
  if (decision !== 'take') return `, without ${method} calibration (${why})`;
  const symbol = method === 'temperature' ? 'temperature' : 'τ';
  return `, calibrated by ${method}${parameter === null ? '' : ` with ${symbol} ${Number(parameter.toPrecision(3))}`}`;
}

/** Whether an untrained head distinguishes classes: by class means, or by rows that stay. */
function isUsable({ init }: HeadRecord): boolean {
  return init === 'means' || init === null;
}

/** Notes on the given model or the data. */
function warningOf({ request }: RunParts, before: AnyScored, isKept: boolean, newness: Newness): string | null {
  if (request.changedHead) return null;
  if (isKept && onlyClass(metricsOf(before, request)) !== undefined) return UNTRAINED;
  return request.isHeldOut ? newness.warning : null;
}

/** Every sample is finally trained on: nothing shows whether the given model knows them. */
const OUT_OF_FOLD: Newness = {
  z: null,
  isNew: false,
  warning:
    'If the given model was trained on these samples, their out-of-fold figures flatter it, but not the tuned model: ' +
    `data that it has not seen (${option('validation')}) judge both alike`,
};

const UNTRAINED =
  'The given model predicts one class for every sample: a network that was never trained needs a larger learning rate, such as ' +
  option('learningRate', 0.003);

/** More training samples add little. */
const LOOKED_AT = 2000;

/** The given model's predictions for training samples. */
function onTraining(parts: RunParts): Promise<AnyScored> {
  const { train, seed } = parts.request;
  return judgeState(parts, undefined, { ...train, rows: spreadRows(train, LOOKED_AT, seed) });
}

/** How sure the given model is, if it seems to have been trained on the held-out samples: these would then refuse a better model. */
function suspicion(
  { isHeldOut, changedHead }: RunParts['request'],
  { isNew }: Newness,
  parts: readonly AnyScored[],
): Sureness | undefined {
  if (!isHeldOut || changedHead || isNew) return undefined;
  const exclusive = parts.filter((part) => part.task === 'exclusive');
  const found = surenessOf(exclusive);
  return exclusive.length === 0 || found.isOverSure ? undefined : found;
}

/** Why the measured method is used although the figures do not favour it. */
function flattered({ arm, verdict }: Tried, { confidence, accuracy }: Sureness): string {
  const percent = (share: number): string => (100 * share).toFixed(1);
  return (
    `the held-out samples cannot judge ${arm}, as the given model seems to have been trained on them: it is right on ${percent(accuracy)} % ` +
    `of the data and as sure of them (${percent(confidence)} %), while models are surer than right of new samples. Against that, ${verdict.why}; ` +
    `on such data this method cost macro-F1 in 2 of 19 measured runs, and ${option('validation')} with new samples judges it`
  );
}

/** The rarest of several labels counts. */
function lossesOf({ strata, losses }: AnyScored): { readonly labels: Int32Array; readonly losses: Float64Array } {
  return { labels: strata, losses };
}
