import { classesRow } from '../data/options.ts';
import { flag, texts } from '../options/row.ts';
import { graftRows } from './graft.ts';

/** The options of `augment`. */
export const augmentRows = {
  ...graftRows,
  /** Makes a fixed batch free, and proves that it may be. */
  dynamicBatch: flag('Make a fixed batch size dynamic, after test runs have shown that the model allows it', {}),
  /** Names of the model's classes, in the order of its scores, for the file's manifest. Default: those that the model tells. */
  classNames: { ...classesRow, flag: 'classes' } as const,
  /** Also gives gradients, as outputs `<tensor>.grad`: `logits`, `features`, `parameters`, or names of tensors. */
  grad: texts('Add gradients as outputs TENSOR.grad: logits, features, parameters, or names of tensors', {}),
};
