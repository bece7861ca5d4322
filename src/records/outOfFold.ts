import type { Scored } from '../metrics/scored.ts';

/** Scores of models on samples that they were not trained on. */
export interface Predictions {
  /** The given model. */
  readonly before: Scored;
  /** For each loss: its weights, and those halfway between before and after. */
  readonly arms: readonly { readonly whole: Scored; readonly half: Scored }[];
}
