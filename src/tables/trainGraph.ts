import { option } from '../errors.ts';
import { choice, count, flag, isWhole, number } from '../options/row.ts';
import { graftRows } from './graft.ts';
import { optimizerRow, stepRows, trainableRow } from './step.ts';

/** What a training graph needs beside its loss. */
export const graphRows = {
  ...stepRows,
  /** `step`: one graph; `loop`: one graph with a Scan over steps; `split`: gradients and update apart. Default `step`. */
  form: choice(['step', 'loop', 'split'], '', {
    flag: false,
    default: 'step',
    switches: {
      split: {
        value: 'split',
        describe:
          'Write gradients.onnx and apply.onnx separately, so that several machines can reduce gradients in between',
      },
    },
  }),
  /** Written into the manifest of the `loop` form: how many steps to feed in one run. */
  stepsPerRun: count(
    'Take several steps in one run: data, labels and learning_rate get a leading axis of this length',
    {
      excludes: ['form=split'],
    },
  ),
  /** The split form: BatchNorm in training mode uses the statistics of each worker's part of a batch. Default false: that is refused. */
  batchNormPerWorker: flag(
    `Allow BatchNorm in training mode with ${option('form', 'split')}: each worker normalises its own part of the batch`,
    { needs: 'batchNorm=train' },
  ),
  /** Whose kernels the graph is written for. `cpu` and `cuda` take the forms of `any`, which WebGPU lacks kernels for. Default `any`. */
  target: choice(['any', 'cpu', 'cuda', 'webgpu'], 'Execution provider that the graph is written for', {
    default: 'any',
  }),
  /** Of Dropout's masks. Default 0. */
  seed: number('Seed of Dropout’s masks', 'a whole number from 0 on', isWhole, {
    default: 0,
    needs: 'dropout=train',
  }),
};

/** The options of `trainGraph`. */
export const trainGraphRows = {
  ...graftRows,
  reduction: { ...graftRows.reduction, flag: false },
  /** A name from `optimizers`, or an optimizer of one's own. Default `sgd`. */
  optimizer: { ...optimizerRow, first: true, default: 'sgd' },
  /** `head`, `all`, or patterns of parameter names with `*`, separated by commas. Default `head`. */
  trainable: { ...trainableRow, default: 'head' },
  ...graphRows,
} as const;
