import type { Ordered } from '../bind.ts';
import type { Loss, Optimizer, Weighting } from '../contract.ts';
import type { OptionsOf } from '../options/row.ts';
import { trainRows } from '../tables/train.ts';
import type { Calculus } from '../transform/gradientOutputs.ts';

/** The catalogue by name. */
export interface Catalogue {
  readonly losses: Readonly<Record<string, Loss>>;
  readonly weightings: Readonly<Record<string, Weighting>>;
  readonly optimizers: Readonly<Record<string, Optimizer>>;
  readonly calculus: Calculus;
}

/** How a model is fine-tuned. Further keys are options of losses, weightings and the optimizer, such as `momentum`. */
export type TrainOptions = OptionsOf<typeof trainRows>;

/** The same, where numbers of classes are in the order of the model's scores. */
export type OrderedTrainOptions = Ordered<TrainOptions>;

/** Options that losses, weightings and the optimizer declare. */
export function declaredOptions(options: TrainOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && !Object.hasOwn(trainRows, key)),
  );
}
