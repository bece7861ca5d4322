import { type Evidence, orderNote } from '../classes/evidence.ts';
import { checkNames, findClassNames } from '../classes/find.ts';
import { type ClassNames, classNames } from '../classes/names.ts';
import { findWrongOrder } from '../classes/order.ts';
import { orderProblem } from '../classes/orderProblem.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { LabelInput } from '../data/bind.ts';
import type { Dataset } from '../data/dataset.ts';
import type { ClassRemedy } from '../data/nameMismatch.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Model } from '../model.ts';
import { hasFreshHead } from './freshHead.ts';
import type { TrainOptions } from './options.ts';

/** A run's data, whose labels are the model's classes. */
export interface AlignedOptions {
  readonly options: TrainOptions;
  /** The names of all classes; `undefined` if unknown. */
  readonly names: ClassNames | undefined;
  readonly notes: readonly string[];
}

/**
 * Matches the labels of all data of a run with the model's classes: see `alignLabels`. If these are unknown, the training data determine
 * them.
 *
 * @param head the requested classes, if they differ from the model's own.
 * @throws LossgraftError `unknown-class`, or `class-count-mismatch` if too few names are given.
 */
export async function alignData(
  model: Model,
  options: TrainOptions,
  labels: LabelInput & { readonly classes: number },
  head?: { readonly names: ClassNames | undefined },
): Promise<AlignedOptions> {
  const { data, validation, test } = options;
  const { classes } = labels;
  const given = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  // Too many names are refused with their counts.
  if (!head && given !== undefined && given.length < classes) checkNames(given, classes);
  const { names, leftAside, notes } = head
    ? { names: head.names, leftAside: undefined, notes: [] }
    : findClassNames({ given, proto: model.proto, dir: model.dir, classes });
  const isKnown = names !== undefined && !names.arePlaceholders;
  if (!isKnown && leftAside && data.labelsFrom === 'names') throw otherCount(leftAside, classes);
  const align = (one: Dataset, by: ClassNames | undefined): Promise<Dataset> =>
    alignLabels(one, { ...labels, names: by, input: labels.name, remedy: remedyFor(options) });
  const aligned = await align(data, names);
  const all = namesFor(aligned, names, classes);
  const others = all ?? (aligned.classNames && classNames(aligned.classNames, data.name));
  const further = {
    ...(typeof validation === 'object' ? { validation: await align(validation, others) } : {}),
    ...(test === undefined ? {} : { test: await align(test, others) }),
  };
  const isOrdered = labels.task !== 'multi-label' && options.head !== 'new';
  const partial = options.trustLabels || !isOrdered ? undefined : orderNote(classes);
  return {
    options: { ...options, data: aligned, ...further },
    names: all,
    notes: partial === undefined ? notes : [...notes, partial],
  };
}

/** The option that gives a model the classes of the data. */
function remedyFor({ head, addClasses, keepClasses }: TrainOptions): ClassRemedy {
  return (unknown, known) => {
    if (head === 'new') return `Correct them, or name all classes of the new last layer with ${option('classes')}`;
    if (addClasses !== undefined || keepClasses !== undefined)
      return `Correct them, or leave their rows out; where the model is to have them, name them with ${option('addClasses')}`;
    if (known === 0)
      return `Where the data have other classes than the model, give it a new last layer for them: ${option('head', 'new')}`;
    const isShort = unknown.length <= LISTED && unknown.every((name) => !name.includes(','));
    const all = isShort ? option('addClasses', unknown.join(',')) : option('addClasses');
    return `Correct them, or where the model is to learn them too, add them: ${all}`;
  };
}

/** More names do not fit into a line. */
const LISTED = 12;

/** Names whose number differs from the model's classes cannot be matched, and are no reason to guess. */
function otherCount({ from, names }: ClassNames, classes: number): LossgraftError {
  return new LossgraftError({
    code: 'class-count-mismatch',
    where: from,
    expected: `${classes} names, one for each class of the model`,
    found: String(names.length),
    hint: `Correct them, or name all classes in the order of the model’s scores with ${option('classNames')}; a model of the data's classes comes of ${option('head', 'new')}`,
  });
}

/** The model's names, or those of the data if only these determine the order. */
function namesFor({ name, classNames: own }: Dataset, names: ClassNames | undefined, classes: number) {
  if (own === undefined || own.length !== classes) return names?.arePlaceholders ? undefined : names;
  return names !== undefined && own.every((one, k) => one === names.names[k]) ? names : classNames(own, name);
}

/** See `TrainerRequest.checkOrder`; `undefined` if labels are trusted. */
export function orderCheck(
  model: Model,
  { trustLabels, data, logits, head, task }: TrainOptions,
  names: ClassNames | undefined,
  classes: number,
): ((evidence: Evidence) => Promise<readonly string[]>) | undefined {
  // A new head has no order yet.
  // With several labels, single samples cannot show which label belongs to which class.
  if (trustLabels || head === 'new' || task === 'multi-label') return undefined;
  return async (evidence) => {
    const wrong = findWrongOrder(evidence);
    if (wrong === undefined) return [];
    if (await isUntrained(model, logits, classes)) return [UNTRAINED];
    const otherwise = `; or go on as it is, where the model is to learn other classes: ${option('trustLabels')}`;
    throw orderProblem(wrong, { where: data.name, names: data.classNames, from: names?.from, otherwise });
  };
}

const UNTRAINED =
  'The last layer was never trained, so the model’s predictions say nothing about the order of its classes';

async function isUntrained(model: Model, logits: string | undefined, classes: number): Promise<boolean> {
  try {
    return await hasFreshHead(model, logits, classes);
  } catch (error) {
    if (error instanceof LossgraftError) return false;
    throw error;
  }
}
