import { findClassNames } from './classes/find.ts';
import { alignLabels } from './data/alignLabels.ts';
import type { Dataset } from './data/dataset.ts';
import { labelsShown } from './data/labelsShown.ts';
import { preparedFor } from './data/prepared.ts';
import { inputPorts, openSamples, type Part } from './data/samples.ts';
import { preparationIn } from './data/tables/preparation.ts';
import { option } from './errors.ts';
import { manifestRecord } from './manifest.ts';
import { type Model, type OpenedModel, opened } from './model.ts';
import { changedClasses, freshClasses, type HeadPlan, refuseBinary } from './newHead/choice.ts';
import { classesOfData } from './newHead/dataClasses.ts';
import { type NewScore, type OpenHead, openHead, withClasses } from './newHead/head.ts';
import { meanScores, plainScores } from './newHead/means.ts';
import { runsOnNoise } from './newHead/prove.ts';
import { badOption, checkOptions } from './options/check.ts';
import type { OptionsOf } from './options/row.ts';
import { reheadRows } from './tables/rehead.ts';
import { widened } from './transform/widen.ts';
import { refuseInput } from './tuned/writeBack.ts';
import { type WriteOptions, writeEdited } from './write.ts';

export type ReheadOptions = OptionsOf<typeof reheadRows>;

/** A model with other classes. */
export interface ReheadReport {
  readonly model: string;
  /** `null` where classes are indices alone. */
  readonly classNames: readonly string[] | null;
  /** The old index of each class in the model; `null` if it is new. */
  readonly sources: readonly (number | null)[];
  /** The initial values of new rows; `null` if there are none. */
  readonly init: 'means' | 'zeros' | 'random' | null;
  /** The layer's tensors whose rows change. */
  readonly tensors: readonly string[];
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** A model with other classes, not yet written. */
export interface Reheaded {
  readonly report: ReheadReport;
  /** Opens it for training or evaluation. */
  readonly model: OpenedModel;
  /** Writes it to a new file. @throws LossgraftError if the file exists and `force` is not set, or is the model itself. */
  write(path: string, options?: WriteOptions): Promise<void>;
}

/** See src/laterVerbs.ts. */
export async function rehead(
  given: OpenedModel,
  data: Dataset | undefined,
  options: ReheadOptions = {},
): Promise<Reheaded> {
  checkOptions(reheadRows, options);
  const { addClasses, keepClasses } = options;
  const source = opened(given);
  const twin = widened(source);
  const head = await openHead(twin, options.logits);
  const plan = await planOf(head, data, options);
  refuseBinary(head, plan, addClasses === undefined && keepClasses === undefined);
  const isGrown = plan.sources.includes(null);
  const init = options.headInit ?? (data ? 'means' : 'zeros');
  const scores = isGrown ? await startOf(head, data, plan, { ...options, init }) : plainScores(head, plan, 'zeros', 0);
  const stored = twin === source ? head : await openHead(source, options.logits);
  const tensors = [stored.layer.weight, stored.bias].flatMap((each) => (each ? [each.value.name] : []));
  const { model, notes: changes } = await withClasses(stored, { scores, names: plan.names });
  const notes = [...head.notes, ...changes, ...(await runsOnNoise(model, source))];
  return {
    report: {
      model: source.name,
      classNames: plan.names?.names ?? null,
      sources: plan.sources,
      init: isGrown ? init : null,
      tensors,
      notes,
    },
    model,
    write: async (path, how = {}) => {
      refuseInput(source, path);
      writeEdited(model, {}, path, how);
    },
  };
}

async function planOf(head: OpenHead, data: Dataset | undefined, options: ReheadOptions): Promise<HeadPlan> {
  const { classes, addClasses, keepClasses } = options;
  if (classes !== undefined)
    return freshClasses(
      classes.length,
      classes,
      classes.every((name) => /^-?\d+$/.test(name)),
    );
  if (addClasses === undefined && keepClasses === undefined) {
    if (data !== undefined) return classesOfData({ data, input: 'labels', given: undefined });
    throw badOption('classes', 'the names of the new classes, or data that have them', 'neither');
  }
  const { proto, dir } = head.model;
  const { names } = findClassNames({ proto, dir, classes: head.classes });
  return changedClasses(options, names, head.classes);
}

interface Start extends ReheadOptions {
  readonly init: 'means' | 'zeros' | 'random';
}

async function startOf(head: OpenHead, data: Dataset | undefined, plan: HeadPlan, options: Start): Promise<NewScore[]> {
  const { init, seed = reheadRows.seed.default, batchSize = reheadRows.batchSize.default, threads, signal } = options;
  if (init !== 'means') return plainScores(head, plan, init, seed);
  if (data === undefined)
    throw badOption('headInit', `zeros or random without ${option('data')}, which class means are taken of`, init);
  const part = await partOf(head.model, data, plan);
  return meanScores(head, { plan, part, seed, batchSize, threads, signal });
}

async function partOf(model: Model, given: Dataset, { names, sources }: HeadPlan): Promise<Part> {
  const task = (await labelsShown(given)) === 'multi-hot' ? ('multi-label' as const) : ('exclusive' as const);
  const labels = { name: 'labels', classes: sources.length, task };
  const data = await alignLabels(given, { ...labels, names });
  const ports = inputPorts(model, labels);
  const inputs = ports.filter(({ name }) => name !== labels.name);
  const recorded = preparationIn(manifestRecord(model.proto), model.name);
  const samples = await openSamples(preparedFor(data, inputs, recorded), ports, labels);
  return { samples, rows: Uint32Array.from({ length: samples.size }, (_, row) => row) };
}
