import type { Part } from '../data/samples.ts';
import type { Scored } from '../metrics/scored.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import { type DetailedMetrics, detailedMetricsOf } from '../records/metrics.ts';
import type { Checkpoint, Outcome } from '../records/run.ts';
import { setInitialState } from '../thread/runner.ts';
import { decideRun } from './decide.ts';
import { measureInfluence } from './influence.ts';
import { judge } from './judge.ts';
import type { RunParts } from './parts.ts';

/** When all arms are trained: what is written, figures in detail, and the influence of training samples. */
export async function finishRun(parts: RunParts, at: Checkpoint): Promise<Outcome> {
  const { tuned, untied } = parts.graphs.common;
  const { test, validation } = parts.request;
  const decision = await decideRun(parts, at);
  const isHalf = decision.file !== null && decision.taken?.share !== 1;
  const files = [...at.bests.map(({ file }) => file), ...(isHalf && decision.file ? [decision.file] : [])];
  const all = await judgeAll(parts, files, test ?? validation);
  const judged = all.slice(0, 1 + at.bests.length);
  const figures = test ? { tests: judged, validation: [] } : { tests: [], validation: judged };
  const half = all[judged.length] ?? null;
  const influence = await influenceOf(parts, at, decision.file ?? at.bests[0]?.file);
  return { tuned, untied, ...figures, decision, half, influence };
}

/** The model as it was given, then the others, each with intervals and with how it differs from the first. */
async function judgeAll(parts: RunParts, files: readonly string[], part: Part): Promise<DetailedMetrics[]> {
  const { request, runner, graphs, folder, judging } = parts;
  const { trainCounts, seed, costs } = request;
  const scored = async (): Promise<Scored> => (await judge(runner, part, 'evaluation', judging)).scored;
  await setInitialState(runner, graphs.current.graph);
  const before = await scored();
  const metrics = [detailedMetricsOf(before, { trainCounts, seed, costs })];
  for (const file of files) {
    await runner.ask({ kind: 'load', path: folder.file(file) });
    metrics.push(detailedMetricsOf(await scored(), { trainCounts, seed, costs, before }));
  }
  return metrics;
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
