import { type Evidence, orderNote } from '../classes/evidence.ts';
import { checkNames, findClassNames } from '../classes/find.ts';
import { type ClassNames, classNames, namesRecord } from '../classes/names.ts';
import { findWrongOrder } from '../classes/order.ts';
import { orderProblem } from '../classes/orderProblem.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import { LossgraftError, option } from '../errors.ts';
import { manifestRecord, TUNED } from '../manifest.ts';
import type { Model } from '../model.ts';
import { VERSION } from '../version.ts';
import { hasFreshHead } from './freshHead.ts';
import type { TrainOptions } from './options.ts';

/** A run's data, whose labels are the model's classes. */
export interface AlignedOptions {
  readonly options: TrainOptions;
  /** What the classes are called, all of them; `undefined` where nobody says. */
  readonly names: ClassNames | undefined;
  readonly notes: readonly string[];
}

/**
 * Matches the labels of all data of a run with the model's classes: see `alignLabels`. Where nothing tells these, the training data do.
 *
 * @throws LossgraftError `unknown-class`, or `class-count-mismatch` where too few names are given.
 */
export async function alignData(
  model: Model,
  options: TrainOptions,
  labels: { readonly name: string; readonly classes: number },
): Promise<AlignedOptions> {
  const { data, validation, test } = options;
  const { classes } = labels;
  const given = options.classNames ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  // More names than the model's classes are refused with their counts.
  if (given !== undefined && given.length < classes) checkNames(given, classes);
  const { names, leftAside, notes } = findClassNames({ given, proto: model.proto, dir: model.dir, classes });
  const isKnown = names !== undefined && !names.arePlaceholders;
  if (!isKnown && leftAside && data.labelsFrom === 'names') throw otherCount(leftAside, classes);
  const align = (one: Dataset, by: ClassNames | undefined): Promise<Dataset> =>
    alignLabels(one, { names: by, input: labels.name });
  const aligned = await align(data, names);
  const all = namesFor(aligned, names, classes);
  const others = all ?? (aligned.classNames && classNames(aligned.classNames, data.name));
  const further = {
    ...(typeof validation === 'object' ? { validation: await align(validation, others) } : {}),
    ...(test === undefined ? {} : { test: await align(test, others) }),
  };
  const partial = options.trustLabels ? undefined : orderNote(classes);
  return {
    options: { ...options, data: aligned, ...further },
    names: all,
    notes: partial === undefined ? notes : [...notes, partial],
  };
}

/** Names that the model does not have as many of are no names to match by, and no reason to guess. */
function otherCount({ from, names }: ClassNames, classes: number): LossgraftError {
  return new LossgraftError({
    code: 'class-count-mismatch',
    where: from,
    expected: `${classes} names, one for each class of the model`,
    found: String(names.length),
    hint: `Correct them, or name all classes in the order of the model’s scores with ${option('classNames')}`,
  });
}

/** The model's names; those of the data where they got their order from nothing else. */
function namesFor({ name, classNames: own }: Dataset, names: ClassNames | undefined, classes: number) {
  if (own === undefined || own.length !== classes) return names?.arePlaceholders ? undefined : names;
  return names !== undefined && own.every((one, k) => one === names.names[k]) ? names : classNames(own, name);
}

/** The manifest of a model whose classes or preparation are known; one that lossgraft wrote before keeps what else it says. */
export function tunedManifest(
  { proto }: Pick<Model, 'proto'>,
  names: ClassNames | undefined,
  preparation: unknown,
): string | undefined {
  if (names === undefined && preparation === undefined) return undefined;
  const before = manifestRecord(proto) ?? {};
  const own = 'problem' in before || before.kind === undefined ? { version: VERSION, kind: TUNED } : before;
  const prepared = preparation === undefined ? {} : { preparation };
  if (names === undefined) return JSON.stringify({ ...own, ...prepared });
  const { classNames: _, classesAreValues: __, ...kept } = own as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...kept, ...namesRecord(names), ...prepared });
}

/** See `TrainerRequest.checkOrder`; `undefined` where labels are to be trusted. */
export function orderCheck(
  model: Model,
  { trustLabels, data, logits }: TrainOptions,
  names: ClassNames | undefined,
  classes: number,
): ((evidence: Evidence) => Promise<readonly string[]>) | undefined {
  if (trustLabels) return undefined;
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
