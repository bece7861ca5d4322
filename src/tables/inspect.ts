import { text } from '../options/row.ts';

/** The options of `inspect`. */
export const inspectRows = {
  /** Uses this tensor as the logits. */
  logits: text('Use this tensor as the logits', { first: true }),
  /** Uses this tensor as the features. */
  features: text('Use this tensor as the features', { first: true }),
};
