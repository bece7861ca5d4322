import { classesRow } from '../data/options.ts';
import { flag, texts } from '../options/row.ts';
import { graftRows } from './graft.ts';

/** The options of `augment`. */
export const augmentRows = {
  ...graftRows,
  /** Frees a fixed batch size, and proves that this is valid. */
  dynamicBatch: flag('Make a fixed batch size dynamic, after test runs have shown that the model allows it', {}),
  /** Names of the model's classes, in the order of its scores, for the file's manifest. Default: the model's own. */
  classNames: { ...classesRow, flag: 'classes' } as const,
  /** Adds gradients as outputs `<tensor>.grad`: `logits`, `features`, `parameters`, or names of tensors. */
  grad: texts('Add gradients as outputs TENSOR.grad: logits, features, parameters, or names of tensors', {}),
};
