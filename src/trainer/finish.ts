import { batchSizesOf } from '../data/samples.ts';
import type { InfluenceOutcome } from '../records/influence.ts';
import type { Metrics } from '../records/metrics.ts';
import type { Checkpoint, Outcome } from '../records/run.ts';
import type { RunFolder } from '../runFolder/checkpoint.ts';
import { type Runner, setInitialState } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';
import type { GraphPool, OpenGraph } from './graphPool.ts';
import { measureInfluence } from './influence.ts';
import { judge } from './judge.ts';
import type { TrainerRequest } from './request.ts';

/** What a run that trained has at hand. */
export interface FinishContext {
  readonly request: TrainerRequest;
  readonly runner: Runner;
  readonly graphs: GraphPool;
  readonly folder: RunFolder;
  /** Any training graph of the run. */
  readonly open: OpenGraph;
  readonly evaluation: Evaluation;
}

/** When all arms are trained: the test data and the influence of training samples, and what is written back. */
export async function finishRun(done: FinishContext, at: Checkpoint): Promise<Outcome> {
  const { tuned, untied } = done.graphs.common;
  const tests = await testAll(done, at);
  return { tuned, untied, tests, influence: await influenceOf(done, at) };
}

/** The model as it was given, then each arm's best epoch. */
async function testAll(
  { request, runner, open, folder, evaluation }: FinishContext,
  at: Checkpoint,
): Promise<Metrics[]> {
  const { test, trainCounts } = request;
  if (test === undefined) return [];
  const how = { ...evaluation, trainCounts, batches: batchSizesOf(request) };
  await setInitialState(runner, open.graph);
  const metrics = [(await judge(runner, test, 'evaluation', how)).metrics];
  for (const { file } of at.bests) {
    await runner.ask({ kind: 'load', path: folder.file(file) });
    metrics.push((await judge(runner, test, 'evaluation', how)).metrics);
  }
  return metrics;
}

async function influenceOf(
  { request, runner, graphs, folder }: FinishContext,
  at: Checkpoint,
): Promise<InfluenceOutcome> {
  const { train, trainCounts, seed, arms, influence } = request;
  const [best] = at.bests;
  if (best) await runner.ask({ kind: 'load', path: folder.file(best.file) });
  const plan = { part: train, classes: trainCounts.length, batches: batchSizesOf(request), seed };
  return measureInfluence(graphs, runner, { ...plan, request: influence(at.alphas[arms[0]?.name ?? '']) });
}
