import type { Part } from '../data/samples.ts';
import type { Scored } from '../metrics/scored.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import { type DetailedMetrics, detailedMetricsOf } from '../records/metrics.ts';
import type { Checkpoint, Outcome } from '../records/run.ts';
import { setInitialState } from '../thread/runner.ts';
import { measureInfluence } from './influence.ts';
import { judge } from './judge.ts';
import type { RunParts } from './parts.ts';

/** When all arms are trained: figures in detail, the influence of training samples, and what is written back. */
export async function finishRun(parts: RunParts, at: Checkpoint): Promise<Outcome> {
  const { tuned, untied } = parts.graphs.common;
  const { test, validation } = parts.request;
  const judged = await judgeAll(parts, at, test ?? validation);
  const figures = test ? { tests: judged, validation: [] } : { tests: [], validation: judged };
  return { tuned, untied, ...figures, influence: await influenceOf(parts, at) };
}

/** The model as it was given, then each arm's best epoch, each with intervals and with how it differs from the first. */
async function judgeAll(parts: RunParts, at: Checkpoint, part: Part): Promise<DetailedMetrics[]> {
  const { request, runner, graphs, folder, judging } = parts;
  const { trainCounts, seed, costs } = request;
  const scored = async (): Promise<Scored> => (await judge(runner, part, 'evaluation', judging)).scored;
  await setInitialState(runner, graphs.current.graph);
  const before = await scored();
  const metrics = [detailedMetricsOf(before, { trainCounts, seed, costs })];
  for (const { file } of at.bests) {
    await runner.ask({ kind: 'load', path: folder.file(file) });
    metrics.push(detailedMetricsOf(await scored(), { trainCounts, seed, costs, before }));
  }
  return metrics;
}

async function influenceOf(
  { request, runner, graphs, folder, judging }: RunParts,
  at: Checkpoint,
): Promise<InfluenceOutcome> {
  const { train, trainCounts, seed, signal, arms, influence } = request;
  const [best] = at.bests;
  if (best) await runner.ask({ kind: 'load', path: folder.file(best.file) });
  const plan = { part: train, classes: trainCounts.length, batches: judging.batches, seed, signal };
  return measureInfluence(graphs, runner, { ...plan, request: influence(at.alphas[arms[0]?.name ?? '']) });
}
