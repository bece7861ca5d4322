import { text } from '../options/row.ts';

/** The options of `inspect`. */
export const inspectRows = {
  /** Takes this tensor for the logits. */
  logits: text('Take this tensor for the logits', { first: true }),
  /** Takes this tensor for the features. */
  features: text('Take this tensor for the features', { first: true }),
};
