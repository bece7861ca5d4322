import { crossValidate, FOLDS, scoredOf } from '../calibration/crossValidate.ts';
import { apply, type Fitted, type Sample } from '../calibration/fit.ts';
import { fitLabels, type LabelSample, labelledBy } from '../calibration/labelFit.ts';
import { crossValidateLabels } from '../calibration/labelValidate.ts';
import { fitMethod } from '../calibration/methods.ts';
import type { Part } from '../data/samples.ts';
import { DEFAULT_THRESHOLD } from '../metrics/labelled.ts';
import type { MetricName } from '../metrics/metrics.ts';
import type { AnyScored } from '../metrics/scored.ts';
import type { CalibrationRecord, ScoreMethod } from '../records/calibration.ts';
import type { Affine } from '../tuned/head.ts';
import { judge } from './judge.ts';
import type { RunParts } from './parts.ts';
import type { TrainerRequest } from './request.ts';

/** A calibrated state: its scores of validation samples come from maps that were not fitted on them. */
export interface Calibrated {
  readonly map: Affine;
  readonly validation: AnyScored;
}

/** Logits with the class of each sample, or with all its labels. */
type AnySample = Sample | LabelSample;

/** The runner state's results on a part, with its logits. */
export async function judgeLogits(
  { runner, judging }: RunParts,
  { samples, rows }: Part,
): Promise<{ readonly scored: AnyScored; readonly sample: AnySample }> {
  const classes = judging.trainCounts.length;
  const logits = new Float64Array(rows.length * classes);
  let done = 0;
  const { scored } = await judge(runner, { samples, rows }, 'evaluation', judging, (scores, batch) => {
    const size = batch.length * classes;
    for (let i = 0; i < size; i++) logits[done + i] = scores[i] ?? Number.NaN;
    done += size;
  });
  const { hot } = samples;
  if (!hot)
    return { scored, sample: { logits, classes, labels: Int32Array.from(rows, (row) => Number(samples.labels[row])) } };
  const own = new Uint8Array(rows.length * classes);
  for (const [i, row] of rows.entries()) own.set(hot.subarray(row * classes, (row + 1) * classes), i * classes);
  const { thresholds } = judging;
  const fixed = typeof thresholds === 'object' ? thresholds : Array<number>(classes).fill(DEFAULT_THRESHOLD);
  return { scored, sample: { logits, classes, hot: own, thresholds: fixed } };
}

/** Fits a calibration to validation samples; it is dropped unless shown to be better on samples it was not fitted on. */
export function calibrateScores(
  request: TrainerRequest,
  method: ScoreMethod,
  sample: AnySample,
): { readonly record: CalibrationRecord; readonly calibrated: Calibrated | undefined } {
  const { found, judged } = 'hot' in sample ? ofLabels(request, method, sample) : ofClasses(request, method, sample);
  const { parameter, ...map } = found;
  const { decision, why } = judged.decision;
  const record = { method, parameter, scale: [...map.scale], offset: [...map.offset], decision, why };
  return { record, calibrated: decision === 'take' ? { map, validation: judged.scored } : undefined };
}

/** A map, and how it is judged. */
interface FittedAndJudged {
  readonly found: Fitted;
  readonly judged: {
    readonly scored: AnyScored;
    readonly decision: Pick<CalibrationRecord, 'decision' | 'why'>;
  };
}

function ofClasses(request: TrainerRequest, method: ScoreMethod, sample: Sample): FittedAndJudged {
  const { costs, seed, trainCounts, data } = request;
  const gained = gainedBy(request);
  const plan = { method, goal: { metric: gained, costs }, counts: trainCounts } as const;
  const metric: MetricName = method === 'temperature' ? 'logLoss' : gained;
  const fitTo = (part: Sample): Fitted => fitMethod(part, plan);
  const how = { metric, drawn: [metric], folds: FOLDS, seed, costs, trainCounts, classNames: data.classNames };
  return { found: fitTo(sample), judged: crossValidate({ ...how, sample, given: sample, fitTo }) };
}

function ofLabels(request: TrainerRequest, method: ScoreMethod, sample: LabelSample): FittedAndJudged {
  const { seed, trainCounts, data, train } = request;
  const goal = gainedBy(request);
  const plan = { method, goal, counts: trainCounts, total: train.rows.length };
  const metric: 'logLoss' | typeof goal = method === 'temperature' ? 'logLoss' : goal;
  const fitTo = (part: LabelSample): Fitted => fitLabels(part, plan);
  const how = { metric, folds: FOLDS, seed, classNames: data.classNames };
  return { found: fitTo(sample), judged: crossValidateLabels({ ...how, sample, fitTo }) };
}

function gainedBy({ goal }: TrainerRequest): 'macroF1' | 'balancedAccuracy' {
  return goal === 'macro-f1' ? 'macroF1' : 'balancedAccuracy';
}

/** A state's results on a part, mapped by a calibration that was not fitted on it. */
export async function judgeCalibrated(parts: RunParts, file: string, part: Part, map: Affine): Promise<AnyScored> {
  await parts.runner.ask({ kind: 'load', path: parts.folder.file(file) });
  const { sample } = await judgeLogits(parts, part);
  return 'hot' in sample ? labelledBy(sample, map) : scoredOf(sample, apply(sample, map));
}
