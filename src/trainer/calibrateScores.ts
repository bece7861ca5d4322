import { crossValidate, FOLDS, scoredOf } from '../calibration/crossValidate.ts';
import { apply, type Sample } from '../calibration/fit.ts';
import { fitMethod } from '../calibration/methods.ts';
import type { Part } from '../data/samples.ts';
import type { AnyScored, Scored } from '../metrics/scored.ts';
import type { CalibrationRecord, ScoreMethod } from '../records/calibration.ts';
import type { Affine } from '../tuned/head.ts';
import { judge } from './judge.ts';
import type { RunParts } from './parts.ts';
import type { TrainerRequest } from './request.ts';

/** A calibrated state: its scores of validation samples come from maps that were not fitted on them. */
export interface Calibrated {
  readonly map: Affine;
  readonly validation: Scored;
}

/** The runner state's results on a part, with its logits. */
export async function judgeLogits(
  { runner, judging }: RunParts,
  part: Part,
): Promise<{ readonly scored: AnyScored; readonly sample: Sample }> {
  const classes = judging.trainCounts.length;
  const labels = Int32Array.from(part.rows, (row) => Number(part.samples.labels[row]));
  const logits = new Float64Array(part.rows.length * classes);
  let done = 0;
  const { scored } = await judge(runner, part, 'evaluation', judging, (scores, rows) => {
    const size = rows.length * classes;
    for (let i = 0; i < size; i++) logits[done + i] = scores[i] ?? Number.NaN;
    done += size;
  });
  return { scored, sample: { logits, labels, classes } };
}

/** Fits a calibration to validation samples; it is dropped unless shown to be better on samples it was not fitted on. */
export function calibrateScores(
  request: TrainerRequest,
  method: ScoreMethod,
  sample: Sample,
): { readonly record: CalibrationRecord; readonly calibrated: Calibrated | undefined } {
  const { goal, costs, seed, trainCounts, data } = request;
  const gained = goal === 'macro-f1' ? 'macroF1' : 'balancedAccuracy';
  const plan = { method, goal: { metric: gained, costs }, counts: trainCounts } as const;
  const metric = method === 'temperature' ? 'logLoss' : gained;
  const { scored, decision: verdict } = crossValidate({
    sample,
    given: sample,
    classNames: data.classNames,
    trainCounts,
    metric,
    drawn: [metric],
    folds: FOLDS,
    seed,
    costs,
    fitTo: (part) => fitMethod(part, plan),
  });
  const { parameter, ...map } = fitMethod(sample, plan);
  const { decision, why } = verdict;
  const record = { method, parameter, scale: [...map.scale], offset: [...map.offset], decision, why };
  return { record, calibrated: decision === 'take' ? { map, validation: scored } : undefined };
}

/** The runner state's calibrated results on samples outside validation. */
export async function judgeCalibrated(parts: RunParts, part: Part, { map }: Calibrated): Promise<Scored> {
  const { sample } = await judgeLogits(parts, part);
  return scoredOf(sample, apply(sample, map));
}
