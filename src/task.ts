/** What labels say of a sample: `exclusive`, which one of all classes it has; `multi-label`, for each class whether it has it. */
export type Task = 'exclusive' | 'multi-label';

export const TASK_NAMES: readonly Task[] = ['exclusive', 'multi-label'];

/** What differs between tasks. */
export interface TaskKind {
  /** Of the graph's input of labels. */
  readonly labels: { readonly dtype: 'int64' | 'float32'; readonly perClass: boolean };
  /** The loss by which models are judged, by its name in the catalogue. */
  readonly crossEntropy: string;
  /** A phrase: what a sample has. */
  readonly describe: string;
}

export const TASKS: Readonly<Record<Task, TaskKind>> = {
  exclusive: {
    labels: { dtype: 'int64', perClass: false },
    crossEntropy: 'ce',
    describe: 'exclusive classes, of which each sample has one',
  },
  'multi-label': {
    labels: { dtype: 'float32', perClass: true },
    crossEntropy: 'bce',
    describe: 'labels of which a sample may have several or none',
  },
};
