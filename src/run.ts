import { basename, dirname, resolve } from 'node:path';
import { breather } from './breather.ts';
import { type FoundNames, findClassNames } from './classes/find.ts';
import { orderWatch } from './classes/orderWatch.ts';
import { chooseBatch, fillNote } from './classifier/batches.ts';
import { alignLabels } from './data/alignLabels.ts';
import { bindData } from './data/bind.ts';
import type { Dataset } from './data/dataset.ts';
import { preparedFor } from './data/prepared.ts';
import { fillUp, fixedBatch } from './data/samples.ts';
import { type Preparation, preparationIn } from './data/tables/preparation.ts';
import { LossgraftError, option } from './errors.ts';
import { fromBytes } from './files/bytes.ts';
import { openFile } from './files/source.ts';
import { settleProvider } from './lower/provider.ts';
import { fileFor } from './lower/webgpu/file.ts';
import { type Manifest, manifestRecord, readManifest } from './manifest.ts';
import { modelFile, type OpenedModel, opened } from './model.ts';
import { modelFileIn } from './modelFolder.ts';
import { scan } from './onnx/index.ts';
import { checkOptions } from './options/check.ts';
import type { OptionsOf } from './options/row.ts';
import { refuseEmptyInputs } from './runtime/feeds.ts';
import { explainLength } from './runtime/longestRow.ts';
import { proveBatch } from './runtime/proveBatch.ts';
import { type ModelFile, openSession, type Provider } from './runtime/session.ts';
import { runRows } from './tables/run.ts';
import type { Tensor } from './tensor.ts';

export type RunOptions = OptionsOf<typeof runRows>;

/** The part of `augment`'s result that matters here. */
interface InMemory {
  readonly dir: string;
  readonly report: { readonly model: string };
  bytes(): Uint8Array;
}

/** A model made by `augment`: its path, its bytes, opened, or the result of `augment` itself. */
export type Runnable = string | Uint8Array | OpenedModel | InMemory;

/** The samples of one class; a sample with several labels counts for each. */
export interface ClassSummary {
  readonly label: number;
  /** `null` where nothing tells it. */
  readonly name: string | null;
  readonly samples: number;
  /** Means of the outputs, by lossgraft's own names: `loss_per_sample`, `ib_factor`. */
  readonly means: Readonly<Record<string, number>>;
}

export interface RunResult {
  readonly samples: number;
  readonly batchSize: number;
  readonly provider: Provider;
  /** Over all samples, summed in float64: their mean, or their sum if the model was augmented with `reduction: 'sum'`. */
  readonly loss: number;
  readonly reduction: 'mean' | 'sum';
  /** By label; classes without samples are absent. */
  readonly classes: readonly ClassSummary[];
  /** The names of all classes, by label; `null` if unknown. */
  readonly classNames: readonly string[] | null;
  /** In the order of the data; zeros if samples may have several labels. */
  readonly labels: BigInt64Array;
  /** If samples may have several labels: those of each sample. */
  readonly labelSets?: readonly (readonly number[])[];
  /** [samples] each, by lossgraft's own names: `loss_per_sample`, and `ib_factor` for the ib losses. */
  readonly perSample: Readonly<Record<string, Float32Array>>;
  /** Notes for the user: conversions, unused arrays, a padded last batch, non-finite results. */
  readonly notes: readonly string[];
}

/**
 * Runs an augmented model over data, in order.
 *
 * The total loss is combined from the samples' own losses, so it does not depend on the division into batches. A last batch below a fixed
 * batch size is padded with repeats of its last row, whose results are dropped.
 *
 * @param what the path (also of a Hugging Face folder) or the bytes of a model that `augment` wrote, such a model opened, or the result
 * of `augment`.
 * @throws LossgraftError for data that do not fit the model, labels out of range and NaN (with the row), and as `openSession` does.
 */
export async function run(what: Runnable, dataset: Dataset, options: RunOptions = {}): Promise<RunResult> {
  checkOptions(runRows, options);
  const given = fileOf(what);
  const { onProgress } = options;
  const { provider, notes: providerNotes } = await settleProvider(options.provider);
  const model = { ...given, ...(await fileFor(provider, given)) };
  const named = options.classNames ?? (dataset.labelsFrom === 'option' ? dataset.classNames : undefined);
  const { manifest, found, preparation } = described(given, named);
  const breathe = breather(options.signal);
  await breathe();
  const input = nameOf(manifest, 'labels');
  const data = await alignLabels(dataset, {
    names: found.names,
    input,
    task: manifest.task,
    classes: manifest.classes,
  });
  const session = await openSession(model.file, { ...model.session, provider });
  try {
    refuseEmptyInputs(
      model.session.name ?? (typeof model.file === 'string' ? basename(model.file) : 'model'),
      session.inputs,
    );
    const features = session.inputs.filter(({ name }) => name !== input);
    const bound = bindData(preparedFor(data, features, preparation), session.inputs, {
      name: input,
      classes: manifest.classes,
      task: manifest.task,
    });
    const fixed = fixedBatch(session.inputs);
    const batchSize = chooseBatch(fixed, options.batchSize, bound.size, DYNAMIC);
    const notes = [...providerNotes, ...found.notes, ...bound.notes, ...fillNote(bound.size, fixed)];
    for (const note of notes) options.onNote?.(note);
    const collected = collector(manifest, bound.size);
    const watch = orderWatch(session.outputs, manifest.classes, binaryOf(manifest));
    const fetches = [...collected.outputs.values(), ...watch.fetches];
    for (let start = 0; start < bound.size; start += batchSize) {
      const count = Math.min(batchSize, bound.size - start);
      const feeds = await bound.read(start, count);
      const filled = fillUp(feeds, fixed);
      if (provider !== 'cpu' && start === 0)
        notes.push((await proveBatch(provider, model, filled, (some) => session.run(some, fetches))).note);
      await breathe();
      const results = await session.run(filled, fetches).catch(async (error: unknown) => {
        throw await explainLength(error, model, () => bound.read(0, 1), data.name);
      });
      collected.add(start, count, feeds, results);
      watch.add(feeds[input]?.data, count, results);
      onProgress?.({ done: start + count, total: bound.size });
    }
    const classNames = data.classNames ?? null;
    const result = summarise(manifest, collected, classNames ?? []);
    const order = watch.notes({ where: data.name, names: classNames ?? undefined, from: found.names?.from });
    const all = [...notes, ...result.notes, ...order];
    return { samples: bound.size, batchSize, provider, classNames, ...result, notes: all };
  } finally {
    await session.close();
  }
}

interface PlacedFile extends ModelFile {
  /** Where config.json may be. */
  readonly dir: string | undefined;
}

function fileOf(what: Runnable): PlacedFile {
  if (typeof what === 'string') {
    const file = modelFileIn(what);
    return { file, session: {}, dir: dirname(resolve(file)) };
  }
  if (what instanceof Uint8Array) return { file: what, session: {}, dir: undefined };
  if ('bytes' in what) {
    const { dir, report } = what;
    return { file: what.bytes(), session: { name: report.model, externalDataFolder: dir }, dir };
  }
  const model = opened(what);
  return { ...modelFile(model), dir: model.dir };
}

function described(
  { file, dir }: PlacedFile,
  given: readonly string[] | undefined,
): { readonly manifest: Manifest; readonly found: FoundNames; readonly preparation: Preparation | undefined } {
  const source = typeof file === 'string' ? openFile(file) : fromBytes(file, 'model');
  try {
    const proto = scan(source);
    const manifest = readManifest(proto);
    const found = findClassNames({ given, proto, dir, classes: manifest.classes });
    return { manifest, found, preparation: preparationIn(manifestRecord(proto), source.name) };
  } finally {
    source.close();
  }
}

function nameOf(manifest: Manifest, own: string): string {
  return manifest.names.get(own) ?? own;
}

function binaryOf({ binary, names }: Manifest): Parameters<typeof orderWatch>[2] {
  return binary && { ...binary, own: [...names.values()] };
}

const DYNAMIC: string = `Leave the option out, or augment the model with ${option('dynamicBatch')}`;

interface Collected {
  readonly labels: BigInt64Array;
  /** Instead of these, if samples may have several labels: those of each sample. */
  readonly rows: readonly (readonly number[])[];
  readonly perSample: Readonly<Record<string, Float32Array>>;
  /** Own name to the model's name. */
  readonly outputs: ReadonlyMap<string, string>;
  add(
    start: number,
    count: number,
    feeds: Readonly<Record<string, Tensor>>,
    results: Readonly<Record<string, Tensor>>,
  ): void;
}

function collector(manifest: Manifest, samples: number): Collected {
  const outputs = new Map([...manifest.names].filter(([own]) => own !== 'labels' && own !== 'loss'));
  const labels = new BigInt64Array(samples);
  const rows: (readonly number[])[] = [];
  const perSample = Object.fromEntries([...outputs.keys()].map((own) => [own, new Float32Array(samples)]));
  const add: Collected['add'] = (start, count, feeds, results) => {
    const given = feeds[nameOf(manifest, 'labels')]?.data;
    if (given instanceof BigInt64Array) labels.set(given.subarray(0, count), start);
    if (given instanceof Float32Array) rows.push(...hotRows(given, count));
    for (const [own, name] of outputs) {
      const data = results[name]?.data;
      if (!(data instanceof Float32Array) || data.length < count) throw wrongOutput(name, count, results[name]);
      perSample[own]?.set(data.subarray(0, count), start);
    }
  };
  return { labels, rows, perSample, outputs, add };
}

function wrongOutput(name: string, count: number, found: Tensor | undefined): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where: `output ${name}`,
    expected: `float32[${count}], one number per sample`,
    found: found === undefined ? 'nothing' : `${found.dtype}[${found.dims.join(', ')}]`,
    hint: 'The model mixes the samples of a batch or was changed after augment; augment the original again',
  });
}

function summarise(
  manifest: Manifest,
  { labels, rows, perSample }: Collected,
  names: readonly string[],
): Pick<RunResult, 'loss' | 'reduction' | 'classes' | 'labels' | 'labelSets' | 'perSample' | 'notes'> {
  const losses = perSample.loss_per_sample ?? new Float32Array();
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  const reduction = manifest.reduction === 'sum' ? 'sum' : 'mean';
  return {
    loss: reduction === 'sum' ? total : total / losses.length,
    reduction,
    classes: byClass(
      manifest.task === 'multi-label' ? rows : Array.from(labels, (label) => [Number(label)]),
      perSample,
      names,
    ),
    labels,
    ...(manifest.task === 'multi-label' ? { labelSets: rows } : {}),
    perSample,
    notes: notFinite(perSample),
  };
}

/** The labels of each sample. */
function hotRows(hot: Float32Array, count: number): number[][] {
  const width = hot.length / count;
  return Array.from({ length: count }, (_, i) => {
    const own = Array.from(hot.subarray(i * width, (i + 1) * width));
    return own.flatMap((flag, k) => (flag === 1 ? [k] : []));
  });
}

function byClass(
  labels: readonly (readonly number[])[],
  perSample: Readonly<Record<string, Float32Array>>,
  names: readonly string[],
): ClassSummary[] {
  const rows = new Map<number, number[]>();
  for (const [row, own] of labels.entries()) {
    for (const label of own) {
      const found = rows.get(label);
      if (found === undefined) rows.set(label, [row]);
      else found.push(row);
    }
  }
  const sorted = [...rows].sort(([a], [b]) => a - b);
  return sorted.map(([label, members]) => ({
    label,
    name: names[label] ?? null,
    samples: members.length,
    means: Object.fromEntries(
      Object.entries(perSample).map(([own, values]) => [
        own,
        members.reduce((sum, row) => sum + (values[row] ?? 0), 0) / members.length,
      ]),
    ),
  }));
}

function notFinite(perSample: Readonly<Record<string, Float32Array>>): string[] {
  return Object.entries(perSample).flatMap(([own, values]) => {
    const bad = values.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
    if (bad === 0) return [];
    const first = values.findIndex((value) => !Number.isFinite(value));
    return [`${own} is not finite in ${bad} of ${values.length} samples, first in row ${first} (${values[first]})`];
  });
}
