import { flag, isText, text, value } from '../options/row.ts';
import { parsePart } from '../parts/plan.ts';

/** The folder of parts, which a verb uses instead of running the model. */
export const mergeRows = {
  /** A folder of parts of these data: their scores are used, and the model does not run. */
  parts: text('The folder of the parts (default: the name of the output, and .parts)', {}),
} as const;

/** The options of a part. */
export const partRows = {
  /** Which part, counted from 1: `3/16`. */
  part: value(
    'a part i/n with i from 1 to n',
    (given): given is string => isText(given) && parsePart(given) !== undefined,
    'Score only part i of n, 1/16 to 16/16, and keep its scores for merging',
    { excludes: ['merge'], reads: 'i/n with i from 1 to n' },
  ),
  merge: flag('Write the result of all parts, without running the model', {}),
} as const;
