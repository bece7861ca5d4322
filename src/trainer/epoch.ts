import type { Part } from '../data/samples.ts';
import type { Scaling } from '../records/scaling.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Runner } from '../thread/runner.ts';
import { stackSteps } from '../thread/steps.ts';
import { nanLoss } from './divergence.ts';
import type { OpenGraph } from './graphPool.ts';
import type { Group } from './groups.ts';
import type { GroupFeeds, Prefetcher } from './prefetcher.ts';
import type { WalkedEpochs } from './request.ts';

/** The parameters of an epoch's walk. */
export interface EpochPlan {
  readonly runner: Runner;
  readonly open: OpenGraph;
  readonly train: Part;
  readonly prefetcher: Prefetcher;
  readonly epoch: number;
  readonly stepsPerEpoch: number;
  /** The whole epoch, and the first step. */
  readonly groups: readonly Group[];
  readonly from: number;
  /** If the steps were taken elsewhere, what they came to. */
  readonly walked?: WalkedEpochs[number] | undefined;
  rate(step: number): number;
}

/** The result of one run of the training graph. */
export interface GroupResult {
  readonly group: Group;
  readonly losses: readonly number[];
  /** For the group's last step. */
  readonly rate: number;
  readonly note: string | undefined;
  readonly scaling: Scaling | undefined;
  /** Seconds that the training thread waited for data before. */
  readonly waited: number;
}

/** How a walk ended: `refuted` if the graph turned out to compute wrong numbers. */
export type EpochEnd = 'done' | 'interrupted' | 'refuted';

/** The seconds of an epoch's steps, and of waiting for data. */
export interface WalkedEpoch {
  readonly end: EpochEnd;
  readonly scaling: Scaling | undefined;
  readonly trainSeconds: number;
  readonly waitSeconds: number;
}

/**
 * Runs the groups in turn, while the next one's data are read. The order depends only on seed and epoch.
 *
 * @param next is called before each group; false ends the walk.
 * @throws LossgraftError `nan-loss`; the runner's state is then the one before the step, which `keep` saves.
 */
export async function walkEpoch(
  plan: EpochPlan,
  next: (group: Group) => Promise<boolean>,
  use: (ran: GroupResult) => void,
  keep: (group: Group) => Promise<string>,
): Promise<EpochEnd> {
  const { runner, open, prefetcher, epoch, groups, walked } = plan;
  if (walked) return recall(plan, walked, use);
  let first: number | undefined;
  let before: number | undefined;
  let proving = 0;
  const started = performance.now();
  for (const [i, group] of groups.entries()) {
    if (group.step < plan.from) continue;
    if (!(await next(group))) return 'interrupted';
    const ready = await prefetcher.take(epoch, i);
    const feeds = withRates(plan, group, ready.feeds);
    const [isFirst, readAt] = [first === undefined, performance.now()];
    const graph = await open.keyFor(group.batch);
    const opening = performance.now() - readAt;
    const job = { kind: 'train', graph, feeds, loss: open.names.loss } as const;
    const answer = await runner.ask(job, ready.buffers).catch((error: unknown) => unlessRefuted(open, error));
    if (answer === undefined) return 'refuted';
    const { losses, note, scaling, idle = 0 } = answer;
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    // Idle for lack of data, not of a graph: before the epoch's first step at most as long as the epoch lasts.
    const waited = Math.min(isFirst ? readAt - started : idle, Math.max(0, idle - opening - proving)) / 1000;
    if (bad < 0) use({ group, losses, rate: plan.rate(group.step + group.steps - 1), note, scaling, waited });
    const ran = performance.now();
    if (!(await open.prove())) return 'refuted';
    proving = performance.now() - ran;
    const trend = { before: losses[bad - 1] ?? before, first };
    if (bad >= 0) throw await broken(plan, group, await prefetcher.again(epoch, i), losses, bad, trend, keep);
    first ??= losses[0];
    before = losses.at(-1);
  }
  return 'done';
}

/** Takes the state and the mean loss of an epoch that was walked elsewhere. */
async function recall(
  { runner, stepsPerEpoch, rate }: EpochPlan,
  { path, lossSum, lossCount }: WalkedEpochs[number],
  use: (ran: GroupResult) => void,
): Promise<EpochEnd> {
  await runner.ask({ kind: 'load', path });
  const group = { step: 0, steps: stepsPerEpoch, start: 0, batch: lossCount };
  const none = { note: undefined, scaling: undefined, waited: 0 };
  use({ group, losses: [lossSum / lossCount], rate: rate(stepsPerEpoch - 1), ...none });
  return 'done';
}

/** The user sees errors of a correct graph; those of a wrong one are dropped with the graph. */
async function unlessRefuted(open: OpenGraph, error: unknown): Promise<undefined> {
  if (await open.prove()) throw error;
}

function withRates({ open, rate }: EpochPlan, { step, steps }: Group, feeds: Tensors): Tensors {
  const rates = Float32Array.from({ length: steps }, (_, i) => rate(step + i));
  const tensor: Tensor = { dtype: 'float32', dims: [steps], data: rates };
  return { ...stackSteps(feeds, steps), [open.names.rate]: tensor };
}

async function broken(
  plan: EpochPlan,
  group: Group,
  { rows, feeds }: GroupFeeds,
  losses: readonly number[],
  bad: number,
  trend: { readonly before: number | undefined; readonly first: number | undefined },
  keep: (group: Group) => Promise<string>,
): Promise<Error> {
  const { runner, epoch, stepsPerEpoch, train } = plan;
  const tensor = await runner.ask({ kind: 'check' });
  const batch = rows.subarray(bad * group.batch, (bad + 1) * group.batch);
  const rowAt = (share: number): string => train.samples.describeRow(rows[Math.floor(share * rows.length)] ?? 0);
  return nanLoss({
    epoch,
    step: group.step + bad,
    stepsPerEpoch,
    loss: losses[bad] ?? Number.NaN,
    rate: plan.rate(group.step + bad),
    ...trend,
    rows: Array.from(batch, (row) => train.samples.describeRow(row)),
    inputs: Object.entries(feeds).flatMap(([name, { data }]) =>
      data instanceof Float32Array ? [{ name, data, rowOf: (element: number) => rowAt(element / data.length) }] : [],
    ),
    broken: tensor === '' ? undefined : tensor,
    kept: await keep(group),
  });
}
