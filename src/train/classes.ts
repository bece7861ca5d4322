import { checkNames, findClassNames } from '../classes/find.ts';
import { type ClassNames, classNames, namesRecord } from '../classes/names.ts';
import { alignLabels } from '../data/alignLabels.ts';
import type { Dataset } from '../data/dataset.ts';
import { manifestRecord, TUNED } from '../manifest.ts';
import type { Model } from '../model.ts';
import { VERSION } from '../version.ts';
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
  const { names, notes } = findClassNames({ given, proto: model.proto, dir: model.dir, classes });
  const align = (one: Dataset, by: ClassNames | undefined): Promise<Dataset> =>
    alignLabels(one, { names: by, input: labels.name });
  const aligned = await align(data, names);
  const all = namesFor(aligned, names, classes);
  const others = all ?? (aligned.classNames && classNames(aligned.classNames, data.name));
  const further = {
    ...(typeof validation === 'object' ? { validation: await align(validation, others) } : {}),
    ...(test === undefined ? {} : { test: await align(test, others) }),
  };
  return { options: { ...options, data: aligned, ...further }, names: all, notes };
}

/** The model's names; those of the data where they got their order from nothing else. */
function namesFor({ name, classNames: own }: Dataset, names: ClassNames | undefined, classes: number) {
  if (own === undefined || own.length !== classes) return names?.arePlaceholders ? undefined : names;
  return names !== undefined && own.every((one, k) => one === names.names[k]) ? names : classNames(own, name);
}

/** The manifest of a model whose classes are known; one that lossgraft wrote before keeps what else it says. */
export function tunedManifest({ proto }: Pick<Model, 'proto'>, names: ClassNames): string {
  const before = manifestRecord(proto) ?? {};
  const own = 'problem' in before || before.kind === undefined ? { version: VERSION, kind: TUNED } : before;
  const { classNames: _, classesAreValues: __, ...kept } = own as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...kept, ...namesRecord(names) });
}
