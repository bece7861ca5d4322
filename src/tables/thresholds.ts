import { isThresholdChoice, parseThresholds } from '../metrics/thresholdChoice.ts';
import { value } from '../options/row.ts';

/** For multi-label models. */
export const thresholdRow = value(
  'a number, one per label, an object by names, or tune',
  isThresholdChoice,
  'Multi-label: predict a label from this probability on: 0.4, one per label (0.4,0.3,…), or by name (cat=0.4,dog=0.3)',
  { reads: 'tune, a number between 0 and 1, one per label, or NAME=NUMBER,…', parse: parseThresholds },
);
