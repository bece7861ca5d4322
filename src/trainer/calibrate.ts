import { type Sampler, sampledOrder } from '../data/sampler.ts';
import { type BatchSizes, batchSizesOf } from '../data/samples.ts';
import { LossgraftError } from '../errors.ts';
import type { Runner } from '../thread/runner.ts';
import type { GraphPool } from './graphPool.ts';
import { eachBatch } from './judge.ts';
import type { Arm, TrainerRequest } from './request.ts';

/** The calibrated alpha of an arm for the runner's state, over the training data as the arm draws them. */
export async function calibrateArm(
  graphs: GraphPool,
  runner: Runner,
  request: Pick<TrainerRequest, 'train' | 'ports' | 'batchSize' | 'seed'>,
  { ce, loss }: NonNullable<Arm['calibration']>,
  sampler: Sampler = 'instance',
): Promise<number> {
  const { train, seed } = request;
  const drawn = sampler === 'instance' ? train : { ...train, rows: sampledOrder(train, sampler, { seed, epoch: 0 }) };
  const [weighted, factors] = [await graphs.judge('alpha ce', ce), await graphs.judge('alpha loss', loss)];
  const names = { ce: weighted.names.loss_per_sample ?? '', factor: factors.names.ib_factor ?? '' };
  const alpha = await calibrateAlpha(
    runner,
    drawn,
    { ce: 'alpha ce', loss: 'alpha loss', batches: batchSizesOf(request) },
    names,
  );
  for (const key of ['alpha ce', 'alpha loss']) await graphs.close(key);
  return alpha;
}

/** α = Σ ce / Σ(ce · f₁), where f₁ is the factor at α = 1: the loss starts as large as the preceding cross-entropy. */
async function calibrateAlpha(
  runner: Runner,
  part: TrainerRequest['train'],
  graphs: { readonly ce: string; readonly loss: string; readonly batches: BatchSizes },
  names: { readonly ce: string; readonly factor: string },
): Promise<number> {
  const losses: number[] = [];
  const { batches } = graphs;
  await eachBatch(runner, part, { graph: graphs.ce, fetches: [names.ce], batches }, (results, rows) => {
    losses.push(...Array.from(results[names.ce]?.data ?? [], Number).slice(0, rows.length));
  });
  let weighted = 0;
  let done = 0;
  await eachBatch(runner, part, { graph: graphs.loss, fetches: [names.factor], batches }, (results, rows) => {
    const factors = results[names.factor]?.data ?? [];
    for (let i = 0; i < rows.length; i++) weighted += (losses[done + i] ?? 0) * Number(factors[i]);
    done += rows.length;
  });
  const alpha = losses.reduce((sum, value) => sum + value, 0) / weighted;
  if (Number.isFinite(alpha) && alpha > 0) return alpha;
  throw new LossgraftError({
    code: 'alpha-auto',
    where: 'option alpha',
    expected: 'a positive ratio of cross-entropy to influence-balanced loss over the training data',
    found: String(alpha),
    hint: 'Set alpha to a number',
  });
}
