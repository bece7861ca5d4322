import type { InfluenceOutcome } from '../records/influence.ts';
import type { Metrics } from '../records/metrics.ts';
import type { Checkpoint, Outcome } from '../records/run.ts';
import { setInitialState } from '../thread/runner.ts';
import { measureInfluence } from './influence.ts';
import { judge } from './judge.ts';
import type { RunParts } from './parts.ts';

/** When all arms are trained: the test data and the influence of training samples, and what is written back. */
export async function finishRun(parts: RunParts, at: Checkpoint): Promise<Outcome> {
  const { tuned, untied } = parts.graphs.common;
  const tests = await testAll(parts, at);
  return { tuned, untied, tests, influence: await influenceOf(parts, at) };
}

/** The model as it was given, then each arm's best epoch. */
async function testAll({ request, runner, graphs, folder, judging }: RunParts, at: Checkpoint): Promise<Metrics[]> {
  const { test } = request;
  if (test === undefined) return [];
  await setInitialState(runner, graphs.current.graph);
  const metrics = [(await judge(runner, test, 'evaluation', judging)).metrics];
  for (const { file } of at.bests) {
    await runner.ask({ kind: 'load', path: folder.file(file) });
    metrics.push((await judge(runner, test, 'evaluation', judging)).metrics);
  }
  return metrics;
}

async function influenceOf(
  { request, runner, graphs, folder, judging }: RunParts,
  at: Checkpoint,
): Promise<InfluenceOutcome> {
  const { train, trainCounts, seed, arms, influence } = request;
  const [best] = at.bests;
  if (best) await runner.ask({ kind: 'load', path: folder.file(best.file) });
  const plan = { part: train, classes: trainCounts.length, batches: judging.batches, seed };
  return measureInfluence(graphs, runner, { ...plan, request: influence(at.alphas[arms[0]?.name ?? '']) });
}
