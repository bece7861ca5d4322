import { batchSizesOf } from '../data/samples.ts';
import type { AnyScored } from '../metrics/scored.ts';
import type { ArmPlace, Checkpoint } from '../records/run.ts';
import { phaseOf } from '../records/schedule.ts';
import type { RunFolder } from '../runFolder/checkpoint.ts';
import type { Runner } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';
import { type GraphPool, keyOf, type OpenGraph } from './graphPool.ts';
import type { Group } from './groups.ts';
import type { Judging } from './judge.ts';
import { planGroups } from './planGroups.ts';
import { Prefetcher, type PrefetchPlan } from './prefetcher.ts';
import type { Arm, TrainerRequest } from './request.ts';

/** The start of a run. */
export interface RunBasis {
  /** Its data are the graphs' inputs: behind a frozen part, that part's results. */
  readonly request: TrainerRequest;
  readonly runner: Runner;
  readonly graphs: GraphPool;
  readonly folder: RunFolder;
  readonly notes: string[];
}

/** Everything a run needs from its first step to its end. */
export interface RunParts extends RunBasis {
  readonly judging: Judging;
  /** Of a whole epoch. */
  readonly groups: readonly Group[];
  /** Out-of-fold results of states on the validation data, by file; `undefined` is the given model. */
  readonly known?: Map<string | undefined, AnyScored>;
  /** Reads the data of an arm. */
  prefetcherOf(arm: Arm): Prefetcher;
}

/** What is done to samples before a step. */
export type SampleChange = Pick<PrefetchPlan, 'augment' | 'soften'>;

/** Opens the first graphs of a run, and plans its epochs. @throws LossgraftError as its parts do. */
export async function openParts(basis: RunBasis, at: Checkpoint, change: SampleChange): Promise<RunParts> {
  await openArm(basis, at);
  return planned(basis, await basis.graphs.judge('evaluation', basis.request.crossEntropy), change);
}

/** Plans the epochs of a run whose judging graph is open. */
export function planned(basis: RunBasis, evaluation: Evaluation, change: SampleChange): RunParts {
  const { request, graphs, notes } = basis;
  const { train, trainCounts, thresholds, seed, schedule, signal } = request;
  const { groups, notes: own } = planGroups(request, graphs.common.stateBytes);
  notes.push(...own);
  const plan = { train, seed, epochs: schedule.epochs, groups, ...change };
  // All arms share the first phase.
  const prefetcherOf = ({ sampler = 'instance' }: Arm): Prefetcher =>
    new Prefetcher({ ...plan, samplerOf: (epoch) => (phaseOf(schedule, epoch) === 'first' ? 'instance' : sampler) });
  const judging = { ...evaluation, trainCounts, thresholds, batches: batchSizesOf(request), signal };
  return { ...basis, judging, groups, prefetcherOf };
}

/** Opens the training graph with which the arm of a checkpoint begins or continues. */
export function openArm({ request, graphs }: RunBasis, at: Checkpoint): Promise<OpenGraph> {
  const { arms, first, schedule } = request;
  const arm = arms[at.arm];
  const alpha = at.alphas[arm?.name ?? ''];
  const isFirst = phaseOf(schedule, startOf(at, arm?.name ?? '', schedule.ibFrom).epoch) === 'first';
  const isPending = arm?.calibration !== undefined && alpha === undefined;
  if (arm === undefined || isFirst || isPending) return graphs.train('first', first);
  return graphs.train(keyOf(arm), arm.graph(alpha));
}

/** The state with which a checkpoint's arm begins or continues; without a file, the given model. */
export function startOf(
  { arm, epoch, step, lossSum, lossCount, best, file, shared, left }: Checkpoint,
  name: string,
  ibFrom: number,
): Omit<ArmPlace, 'file'> & { readonly file?: string } {
  if (epoch > 0 || step > 0) return { epoch, step, lossSum, lossCount, best, file };
  const start = { epoch, step, lossSum, lossCount, best };
  return left?.[name] ?? (arm > 0 && shared !== null ? { ...start, epoch: ibFrom, file: shared } : start);
}

/** If requested, training starts with another last layer than the model's. */
export async function renewHead({ request, runner, graphs }: RunParts): Promise<void> {
  if (request.newHead === undefined) return;
  const given = Object.fromEntries(graphs.current.graph.initialState());
  await runner.ask({ kind: 'set', state: { ...given, ...request.newHead } });
}
