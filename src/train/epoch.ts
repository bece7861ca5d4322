import { permutation } from '../data/random.ts';
import type { Tensor } from '../tensor.ts';
import type { Open } from './arms.ts';
import { nanLoss } from './divergence.ts';
import type { Group } from './groups.ts';
import type { Part } from './judge.ts';
import type { Tensors } from './protocol.ts';
import type { Runner } from './runner.ts';
import { stackSteps } from './samples.ts';

/** How an epoch is walked through. */
export interface EpochPlan {
  readonly runner: Runner;
  readonly open: Open;
  readonly train: Part;
  readonly epoch: number;
  readonly seed: number;
  readonly stepsPerEpoch: number;
  /** What is left of the epoch. */
  readonly groups: readonly Group[];
  rate(step: number): number;
  augment(
    feeds: Record<string, Tensor>,
    keys: { seed: number; epoch: number; rows: Uint32Array },
  ): Record<string, Tensor>;
}

/** What one run of the training graph gave. */
export interface Ran {
  readonly group: Group;
  readonly losses: readonly number[];
  /** Of the group's last step. */
  readonly rate: number;
  readonly note: string | undefined;
}

interface Prepared {
  readonly group: Group;
  readonly rows: Uint32Array;
  readonly feeds: Tensors;
}

/**
 * Runs the groups one after the other, and reads the next one's data meanwhile. The order is a function of seed and epoch alone.
 *
 * @param next is called before each group; false ends the walk.
 * @throws LossgraftError `nan-loss`; the runner's state is then the one before the step, which `keep` puts on the disk.
 */
export async function walkEpoch(
  plan: EpochPlan,
  next: (group: Group) => Promise<boolean>,
  use: (ran: Ran) => void,
  keep: (group: Group) => Promise<string>,
): Promise<boolean> {
  const { runner, open, train, groups } = plan;
  const order = permutation(train.rows.length, plan.seed, plan.epoch, SHUFFLE).map((i) => train.rows[i] ?? 0);
  let first: number | undefined;
  let before: number | undefined;
  let reading = readAhead(plan, order, groups[0]);
  for (const [i, group] of groups.entries()) {
    if (!(await next(group))) return false;
    const ready = await reading;
    const running = runner.ask({ kind: 'train', graph: open.key, feeds: ready.feeds, loss: open.names.loss });
    reading = readAhead(plan, order, groups[i + 1] ?? group);
    const { losses, note } = await running;
    const bad = losses.findIndex((loss) => !Number.isFinite(loss));
    if (bad >= 0) throw await broken(plan, ready, losses, bad, { before: losses[bad - 1] ?? before, first }, keep);
    first ??= losses[0];
    before = losses.at(-1);
    use({ group, losses, rate: plan.rate(group.step + group.steps - 1), note });
  }
  return true;
}

/** Keeps the shuffle's stream of random numbers apart from others of the same seed. */
const SHUFFLE = 1;

function readAhead(plan: EpochPlan, order: Uint32Array, group: Group | undefined): Promise<Prepared> {
  if (group === undefined) return Promise.reject(new Error('an epoch without steps'));
  const reading = prepare(plan, order, group);
  // Told when it is awaited; without this a failure meanwhile would end the process.
  reading.catch(() => {});
  return reading;
}

async function prepare(plan: EpochPlan, order: Uint32Array, group: Group): Promise<Prepared> {
  const { train, epoch, seed, open } = plan;
  const rows = order.subarray(group.start, group.start + group.steps * group.batch);
  const feeds = plan.augment(await train.samples.read(rows), { seed, epoch, rows });
  const rates = Float32Array.from({ length: group.steps }, (_, i) => plan.rate(group.step + i));
  const rate: Tensor = { dtype: 'float32', dims: [group.steps], data: rates };
  return { group, rows, feeds: { ...stackSteps(feeds, group.steps), [open.names.rate]: rate } };
}

async function broken(
  plan: EpochPlan,
  { group, rows, feeds }: Prepared,
  losses: readonly number[],
  bad: number,
  trend: { readonly before: number | undefined; readonly first: number | undefined },
  keep: (group: Group) => Promise<string>,
): Promise<Error> {
  const { runner, open, epoch, stepsPerEpoch, train } = plan;
  const tensor = await runner.ask({ kind: 'check' });
  const batch = rows.subarray(bad * group.batch, (bad + 1) * group.batch);
  return nanLoss({
    epoch,
    step: group.step + bad,
    stepsPerEpoch,
    loss: losses[bad] ?? Number.NaN,
    rate: plan.rate(group.step + bad),
    ...trend,
    rows: Array.from(batch, (row) => train.samples.describeRow(row)),
    inputs: Object.entries(feeds).flatMap(([name, { data }]) =>
      name !== open.names.rate && data instanceof Float32Array ? [{ name, data }] : [],
    ),
    broken: tensor === '' ? undefined : tensor,
    kept: await keep(group),
  });
}
