import type { Model } from '../model.ts';
import type { DividedData } from './data.ts';
import { networkSize } from './network.ts';
import type { TrainOptions } from './options.ts';
import { type Plan, settle } from './plan.ts';
import { headForScales } from './scaledHead.ts';

/** Chooses what the user left open by the data and the network. */
export async function settledPlan(
  model: Model,
  options: TrainOptions,
  plan: Plan,
  { train, counts }: DividedData,
): Promise<Plan> {
  if (plan.method === null) return plan;
  const { logits } = options;
  if (plan.learnsScales) await headForScales(model, logits, counts.length);
  const network = await networkSize(model, { trainable: plan.trainable, logits });
  return settle(plan, options, { network, samples: train.rows.length });
}
