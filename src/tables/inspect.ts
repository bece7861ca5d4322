import { text } from '../options/row.ts';

/** The options of `inspect`. */
export const inspectRows = {
  /** Takes this tensor for the logits. */
  logits: text('Use this tensor as the logits', { first: true }),
  /** Takes this tensor for the features. */
  features: text('Use this tensor as the features', { first: true }),
};
