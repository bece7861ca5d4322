import type { Scored } from '../metrics/scored.ts';

/** What models say of samples that they were not trained on. */
export interface Predictions {
  /** The model as it was given. */
  readonly before: Scored;
  /** Of each loss: its weights, and those half-way between before and after. */
  readonly arms: readonly { readonly whole: Scored; readonly half: Scored }[];
}
