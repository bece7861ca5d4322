import type { LabelsShown } from '../data/labelsShown.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Model } from '../model.ts';
import { statedTask } from '../statedTask.ts';
import { TASKS, type Task } from '../task.ts';
import type { TrainOptions } from './options.ts';

/**
 * The task as stated by the user, by a loss only for several labels, by the labels, or by the model's folder, in this order; otherwise
 * the head decides.
 */
export function askedTask(
  model: Model,
  { task, loss }: TrainOptions,
  isMultiLabelLoss: boolean,
  shown: LabelsShown,
): Task | undefined {
  if (task !== undefined) return task;
  if ((loss !== undefined && isMultiLabelLoss) || shown === 'multi-hot') return 'multi-label';
  return statedTask(model)?.task;
}

/** @throws LossgraftError `task-mismatch` if the labels do not fit the head. @returns notes. */
export function checkLabels(
  shown: LabelsShown,
  task: Task,
  { data }: TrainOptions,
  head: { readonly why: string },
): string[] {
  if (task === 'exclusive' || shown === 'numbers') return [];
  if (shown === 'one-hot' || shown === 'multi-hot') {
    const found = shown === 'multi-hot' ? 'rows of 0 and 1' : 'rows with one 1 each';
    return [`Labels are ${found} and ${head.why}: lossgraft trains for ${TASKS[task].describe} (multi-label)`];
  }
  throw new LossgraftError({
    code: 'task-mismatch',
    where: `${data.name}, labels`,
    expected: `a row of 0 and 1 per sample, [N, C], because ${head.why}`,
    found: shown === 'probabilities' ? 'probabilities that sum to 1' : 'one label per sample',
    hint:
      `Name columns of 0 and 1 with ${option('labelColumns')}, or what separates several names with ${option('labelSeparator')}; ` +
      `if each sample has exactly one class, ${option('task', 'exclusive')}`,
  });
}
