import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findClassNames } from '../classes/find.ts';
import type { ClassNames } from '../classes/names.ts';
import type { Part } from '../data/samples.ts';
import { option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import type { Model } from '../model.ts';
import { changedClasses, changesHead, type HeadPlan, refuseBinary } from '../newHead/choice.ts';
import { classesOfData } from '../newHead/dataClasses.ts';
import { type NewScore, type OpenHead, openHead, widthOf, withClasses } from '../newHead/head.ts';
import { meanScores, plainScores } from '../newHead/means.ts';
import { readScores, saveScores } from '../newHead/saved.ts';
import { badOption } from '../options/check.ts';
import type { HeadRecord } from '../records/run.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import { widened } from '../transform/widen.ts';
import type { TrainOptions } from './options.ts';

/** A head with other classes, before its rows are known. */
export interface RunHead {
  readonly classes: number;
  readonly names: ClassNames | undefined;
  readonly record: HeadRecord;
  readonly notes: readonly string[];
  /** Adds it to a model. Class means are those of the training samples. */
  build(model: Model, train: Part, how: { readonly batchSize: number; readonly seed: number }): Promise<BuiltHead>;
}

/** A model with other classes. */
export interface BuiltHead {
  readonly model: Model;
  readonly notes: readonly string[];
  /** Saves the head's initial rows in the run's folder. */
  save(): void;
}

/** The file of a head's initial rows in a run's folder. */
const FILE = 'head.safetensors';

/**
 * The requested head of a run; `undefined` if the model keeps its classes.
 *
 * @throws LossgraftError `no-linear-head`, `head-not-followed`, `head-classes`, and `option-range` for a start without such a head.
 */
export async function headFor(model: Model, options: TrainOptions, input: string): Promise<RunHead | undefined> {
  const { headInit: init = 'means' } = options;
  if (!changesHead(options)) {
    if (options.headInit === undefined) return undefined;
    throw badOption('headInit', `to be left out without ${option('head', 'new')} or ${option('addClasses')}`, 'it');
  }
  const head = await openHead(model, options.logits);
  const plan = await planFor(head, options, input);
  refuseBinary(head, plan, options.head === 'new');
  const { sources, names } = plan;
  const record: HeadRecord = {
    init: sources.includes(null) ? init : null,
    sources,
    names: names?.names ?? null,
    areValues: names?.areValues ?? false,
    logits: options.logits ?? null,
  };
  return {
    classes: sources.length,
    names,
    record,
    notes: [...head.notes, ...describe(head, options, record)],
    build: async (source, train, how) => {
      new RunFolder(options.folder).refuseExisting(options.mode ?? 'new');
      const path = join(options.folder, FILE);
      // Its inputs may be scaled by now.
      const own = source === model ? head : await openHead(source, options.logits);
      const scores =
        options.mode === 'resume' && existsSync(path)
          ? readScores(path, sourcesOf(own, sources))
          : await startOf(own, plan, { ...options, ...how, part: train, init });
      // A half-precision file gets its rows in its own type, and is trained as float32.
      const stored = source.stored ? await openHead(source.stored, options.logits) : own;
      const { model: changed, notes } = await withClasses(stored, { scores, names });
      return { model: widened(changed), notes, save: () => saveScores(path, scores, widthOf(own)) };
    },
  };
}

/** The model of a run with the head that it began with. */
export async function headOfRun(model: Model, folder: string, record: HeadRecord): Promise<Model> {
  const { sources, names, areValues, logits } = record;
  const head = await openHead(model, logits ?? undefined);
  const scores = readScores(join(folder, FILE), sourcesOf(head, sources));
  const known = names === null ? undefined : { names, areValues, from: 'the new head', arePlaceholders: false };
  return (await withClasses(head, { scores, names: known })).model;
}

/** The head in a checkpoint. */
export function headIn(settings: Readonly<Record<string, unknown>>): HeadRecord | undefined {
  const { head } = settings;
  return isRecord(head) && Array.isArray(head.sources) ? (head as unknown as HeadRecord) : undefined;
}

function sourcesOf({ kind }: OpenHead, sources: HeadPlan['sources']): HeadPlan['sources'] {
  return kind === 'sigmoid-binary' ? [null] : sources;
}

interface Start {
  readonly init: 'means' | 'zeros' | 'random';
  readonly part: Part;
  readonly seed: number;
  readonly batchSize: number;
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

function startOf(head: OpenHead, plan: HeadPlan, { init, ...how }: Start): Promise<NewScore[]> | NewScore[] {
  const isMeans = init === 'means' && plan.sources.includes(null);
  if (isMeans) return meanScores(head, { plan, ...how });
  return plainScores(head, plan, init === 'random' ? 'random' : 'zeros', how.seed);
}

async function planFor(head: OpenHead, options: TrainOptions, input: string): Promise<HeadPlan> {
  const { data, classNames: given } = options;
  const asked = given ?? (data.labelsFrom === 'option' ? data.classNames : undefined);
  if (options.head === 'new') return classesOfData({ data, input, given: asked });
  const { proto, dir } = head.model;
  const { classes } = head;
  const isOfAll = asked !== undefined && asked.length !== classes;
  const { names } = findClassNames({ given: isOfAll ? undefined : asked, proto, dir, classes });
  const plan = changedClasses(options, names, classes);
  if (!isOfAll) return plan;
  return renamed(plan, asked);
}

/** Names given for all classes of the changed head. */
function renamed(plan: HeadPlan, given: readonly string[]): HeadPlan {
  const { names } = plan;
  const fits = names !== undefined && given.length === names.names.length;
  if (fits) return { ...plan, names: { ...names, names: given, arePlaceholders: false } };
  throw badOption('classes', `${names?.names.length} names, one for each class of the changed head`, given.length);
}

function describe(
  { bias, followed, scores }: OpenHead,
  { head }: TrainOptions,
  { init, sources, names }: HeadRecord,
): string[] {
  const kept = sources.filter((source) => source !== null).length;
  const added = sources.length - kept;
  const called = names && names.length <= 20 ? `: ${names.map((name, k) => `${k} ${name}`).join(', ')}` : '';
  const rows = [
    kept > 0 ? `${kept} rows stay as they are` : '',
    added > 0 ? `${added} are new, from ${START[init ?? 'zeros']}` : '',
  ];
  const told = `The last layer gets ${sources.length} classes${called}; ${rows.filter((text) => text !== '').join(', ')}`;
  const order = 'A new last layer has no order of classes yet, so there is none to check the labels against';
  const judged = `What is trained is judged against the model with this last layer before training${init === null ? '' : ` (${START[init]})`}, not against the model as it was given`;
  const plain = init === 'means' && (bias === undefined || !followed.isLinear(scores));
  const rough =
    'The class means are a rougher start here, because the last layer has no bias or an activation follows it';
  return [told, ...(head === 'new' ? [order] : []), judged, ...(plain ? [rough] : [])];
}

const START = { means: 'class means of the features', zeros: 'zeros', random: 'random numbers' } as const;
