import { option } from '../errors.ts';
import type { RunRows } from '../options/row.ts';
import { gradientsRow } from './graft.ts';
import { headRows } from './rehead.ts';
import { optimizerRow, stepRows, trainableRow } from './step.ts';
import { dataRows } from './train/data.ts';
import { folderRows } from './train/folder.ts';
import { lossRows } from './train/loss.ts';
import { samplingRows } from './train/sampling.ts';
import { scheduleRows } from './train/schedule.ts';
import { trainerRows } from './train/trainer.ts';

/** The options of `train`. */
export const trainRows = {
  ...dataRows,
  ...headRows,
  ...lossRows,
  ...samplingRows,
  ...scheduleRows,
  /** A name from `optimizers`, or a custom optimizer. Default `adamw`; `sgd` with an explicit loss. */
  optimizer: { ...optimizerRow, describe: `Which optimizer (default adamw; sgd with ${option('loss')})` },
  /** `head`, `all`, or patterns. Default `all`; with method `crt` `head`. */
  trainable: { ...trainableRow, first: false, default: 'all', excludes: ['method=lws'] },
  ...stepRows,
  /** Gradient rules by operator, which override lossgraft's own. */
  gradients: gradientsRow,
  ...trainerRows,
  ...folderRows,
} as const satisfies RunRows;
