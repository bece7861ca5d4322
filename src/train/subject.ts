import { configured } from '../bind.ts';
import { LossgraftError, option } from '../errors.ts';
import { settleProvider } from '../lower/provider.ts';
import type { Model } from '../model.ts';
import { changesHead } from '../newHead/choice.ts';
import type { Task } from '../task.ts';
import type { TrainerRequest } from '../trainer/request.ts';
import { evaluationGraph } from '../trainGraph/evaluation.ts';
import { defined } from './defined.ts';
import type { Catalogue, TrainOptions } from './options.ts';
import { headFor, type RunHead } from './otherClasses.ts';
import { type Plan, planOf } from './plan.ts';
import { withHardLabels } from './softLabels.ts';
import { askedTask, checkLabels } from './task.ts';

/** What a run trains, as far as the model, the labels and the options tell before data are divided. */
export interface Subject {
  readonly source: Model;
  /** With one class per sample where labels are probabilities, and the provider that was found. */
  readonly given: TrainOptions;
  readonly provider: TrainerRequest['provider'];
  /** Settled later, by data and network. */
  readonly proposed: Plan;
  readonly labels: { readonly name: string; readonly classes: number; readonly task: Task };
  readonly head: RunHead | undefined;
  readonly notes: readonly string[];
}

/** @throws LossgraftError for a model without classes, a head that cannot be changed, labels that are not for such a head. */
export async function subjectOf(catalogue: Catalogue, source: Model, asGiven: TrainOptions): Promise<Subject> {
  const { provider, notes } = await settleProvider(asGiven.provider);
  const name = asGiven.rename?.labels ?? 'labels';
  const { given: labelled, shown } = await withHardLabels(asGiven, name);
  const given = labelled.provider === undefined ? labelled : { ...labelled, provider };
  const { of: loss } = configured(catalogue.losses, given.loss ?? 'ce', 'loss');
  const asked = askedTask(source, given, loss.task === 'multi-label', shown);
  const proposed = planOf(given, asked);
  const known = asked === undefined ? given : { ...given, task: asked };
  // Refuses scores that cannot be read label by label before their layer is changed.
  const own = asked === 'multi-label' && changesHead(given) ? await judgedBy(catalogue, source, known) : undefined;
  const head = await headFor(source, given, name);
  const judged = head ?? (await judgedBy(catalogue, source, known));
  const { classes } = judged;
  const task = 'task' in judged ? judged.task : (asked ?? 'exclusive');
  const checked = 'task' in judged ? judged : own;
  const taskNotes = checked ? checkLabels(shown, task, given, checked) : [];
  const labels = { name, classes, task };
  return { source, given, provider, proposed, labels, head, notes: [...notes, ...judged.notes, ...taskNotes] };
}

/**
 * How many classes the model distinguishes, and notes on its scores: found before data are opened.
 *
 * @throws LossgraftError `unknown-classes` if the logits do not tell, and if nothing can be trained.
 */
export async function judgedBy(
  catalogue: Catalogue,
  model: Model,
  options: TrainOptions,
): Promise<{
  readonly classes: number;
  readonly task: Task;
  readonly why: string;
  readonly notes: readonly string[];
}> {
  const { logits, rename, keepTies, task: asked, trainable = 'head' } = options;
  const ce = catalogue.losses.ce;
  if (!ce) throw new Error('the catalogue has no cross-entropy');
  const { ib_factor: _, ...names } = rename ?? {};
  const place = { ...defined({ logits, keepTies, task: asked }), rename: names };
  const request = { loss: ce, lossOptions: {}, trainable, ...place };
  const { classes, task, head, notes: all } = await evaluationGraph(model, request, []);
  // The loss used to examine heads here is arbitrary.
  const notes = all.filter((note) => !note.startsWith('ce on a multi-label head'));
  const isAssumed = head.kind === 'softmax' && !head.isStated;
  const why =
    head.kind !== 'sigmoid-multi-label'
      ? 'the head is for classes'
      : 'the head gives a score for each label on its own';
  if (classes !== undefined) return { classes, task, why, notes: isAssumed ? [...notes, UNSTATED] : notes };
  throw new LossgraftError({
    code: 'unknown-classes',
    where: model.name,
    expected: 'logits [N, C] whose number of classes is known',
    found: 'a dimension that is not',
    hint: `Export the model with a fixed number of classes, or name scores that have one with ${option('logits')}`,
  });
}

const UNSTATED =
  'Neither a softmax nor a sigmoid follows the scores; lossgraft assumes exclusive classes, one per sample';
