import type { Part } from '../data/samples.ts';
import type { AnyScored } from '../metrics/scored.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import { type DetailedMetrics, detailedMetricsOf } from '../records/metrics.ts';
import type { Checkpoint, Outcome } from '../records/run.ts';
import { judgeCalibrated } from './calibrateScores.ts';
import { type Decided, decideRun } from './decide.ts';
import { curvesOf, surestMistakes } from './details.ts';
import { measureInfluence } from './influence.ts';
import type { RunParts } from './parts.ts';
import { judgeState, savePredictions } from './predictions.ts';
import { roundToStored } from './stored.ts';

/** After all arms are trained: the decision, figures in detail, and the influence of training samples. */
export async function finishRun(open: RunParts, at: Checkpoint): Promise<Outcome> {
  const { tuned, untied } = open.graphs.common;
  const { test, validation, isFold, isRefit } = open.request;
  for (const { file } of at.bests) roundToStored(open, file);
  if (isFold) await savePredictions(open, at);
  if (isFold || isRefit) return { tuned, untied, ...UNDECIDED };
  const parts = withOutOfFold(open, at);
  const { decision, calibrated } = await decideRun(parts, at);
  const isOtherFloat = decision.file !== null && decision.taken?.share !== 1;
  const files = [...at.bests.map(({ file }) => file), ...(isOtherFloat && decision.file ? [decision.file] : [])];
  // The written model, or the first candidate.
  const subject = decision.file ?? at.bests[0]?.file;
  const { metrics: all, scored } = await judgeAll({ parts, calibrated }, files, test ?? validation, [
    undefined,
    subject,
  ]);
  const judged = all.slice(0, 1 + at.bests.length);
  const figures = test ? { tests: judged, validation: [] } : { tests: [], validation: judged };
  const half = all[judged.length] ?? null;
  const influence = await influenceOf(parts, at, subject);
  const looked = await lookAt({ parts, calibrated }, subject, scored);
  return { tuned, untied, ...figures, decision, half, influence, ...looked };
}

/** The states of a run, some of them calibrated. */
interface States extends Pick<Decided, 'calibrated'> {
  readonly parts: RunParts;
}

const ELSEWHERE = 'a part of a run decides nothing';

/** The decision of a fold, which only provides predictions for the samples it left out, and of a repetition on all samples. */
const UNDECIDED: Omit<Outcome, 'tuned' | 'untied'> = {
  tests: [],
  validation: [],
  decision: { taken: null, file: null, why: ELSEWHERE, candidates: [], newness: null, warning: null },
  half: null,
  influence: { missing: ELSEWHERE },
};

/** With folds, the results on the validation data are those out of fold. */
function withOutOfFold(parts: RunParts, { bests }: Checkpoint): RunParts {
  const { outOfFold } = parts.request;
  if (outOfFold === undefined) return parts;
  const known = new Map<string | undefined, AnyScored>([[undefined, outOfFold.before]]);
  for (const [i, { file }] of bests.entries()) {
    const own = outOfFold.arms[i];
    if (own) known.set(file, own.whole);
  }
  return { ...parts, known };
}

/** Curves and mistakes of the chosen model. */
async function lookAt(
  states: States,
  file: string | undefined,
  [before, after]: readonly (AnyScored | undefined)[],
): Promise<Pick<Outcome, 'curves' | 'mistakes'>> {
  const { test, validation, trainCounts } = states.parts.request;
  if (!before || !after || file === undefined) return {};
  const chosenOn = test ? await judgeMapped(states, file, validation) : after;
  return {
    curves: curvesOf({ before, after, validation: chosenOn }, trainCounts),
    mistakes: surestMistakes(test ?? validation, after),
  };
}

/**
 * The given model, then the others, each with intervals and with its differences from the first.
 *
 * @param kept the files (`undefined`: the given model) whose predictions are also needed.
 */
async function judgeAll(
  states: States,
  files: readonly string[],
  part: Part,
  kept: readonly (string | undefined)[],
): Promise<{ readonly metrics: readonly DetailedMetrics[]; readonly scored: readonly (AnyScored | undefined)[] }> {
  const { trainCounts, seed, costs } = states.parts.request;
  const found = new Map<string | undefined, AnyScored>();
  const before = await judgeMapped(states, undefined, part);
  found.set(undefined, before);
  const metrics = [detailedMetricsOf(before, { trainCounts, seed, costs })];
  for (const file of files) {
    const scored = await judgeMapped(states, file, part);
    if (kept.includes(file)) found.set(file, scored);
    metrics.push(detailedMetricsOf(scored, { trainCounts, seed, costs, before }));
  }
  return { metrics, scored: kept.map((file) => found.get(file)) };
}

/** @param file `undefined`: the given model. */
async function judgeMapped({ parts, calibrated }: States, file: string | undefined, part: Part): Promise<AnyScored> {
  const own = file === undefined ? undefined : calibrated.get(file);
  if (own === undefined || file === undefined) return judgeState(parts, file, part);
  // A map is not judged on the samples it was fitted to.
  if (part === parts.request.validation) return own.validation;
  return judgeCalibrated(parts, file, part, own.map);
}

async function influenceOf(
  { request, runner, graphs, folder, judging }: RunParts,
  at: Checkpoint,
  file: string | undefined,
): Promise<InfluenceOutcome> {
  const { train, trainCounts, seed, signal, arms, influence } = request;
  if (file !== undefined) await runner.ask({ kind: 'load', path: folder.file(file) });
  const plan = { part: train, classes: trainCounts.length, batches: judging.batches, seed, signal };
  return measureInfluence(graphs, runner, { ...plan, request: influence(at.alphas[arms[0]?.name ?? '']) });
}
