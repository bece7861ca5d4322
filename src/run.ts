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
import { option } from './errors.ts';
import { fromBytes } from './files/bytes.ts';
import { openFile } from './files/source.ts';
import { bytesHash, sha256 } from './hash.ts';
import { settleProvider } from './lower/provider.ts';
import { fileFor } from './lower/webgpu/file.ts';
import { type Manifest, manifestRecord, readManifest } from './manifest.ts';
import { modelFile, type OpenedModel, opened } from './model.ts';
import { modelFileIn } from './modelFolder.ts';
import { scan } from './onnx/index.ts';
import { checkOptions } from './options/check.ts';
import type { OptionsOf } from './options/row.ts';
import type { PartInputs } from './parts/format.ts';
import { openParts } from './parts/merged.ts';
import { type Pass, type Tensors, WHOLE_PASS } from './parts/pass.ts';
import { apart, withLabels } from './parts/tensors.ts';
import { checkedPart, type PartOptions, type PartReport, partInputs, writePart } from './parts/write.ts';
import { collector, nameOf, type RunSummary, summarise } from './runSummary.ts';
import { refuseEmptyInputs } from './runtime/feeds.ts';
import { explainLength } from './runtime/longestRow.ts';
import { proveBatch } from './runtime/proveBatch.ts';
import { type ModelFile, openSession, type Provider } from './runtime/session.ts';
import { runRows } from './tables/run.ts';

export type RunOptions = OptionsOf<typeof runRows>;
export type RunPartOptions = RunOptions & PartOptions;

/** The part of `augment`'s result that matters here. */
interface InMemory {
  readonly dir: string;
  readonly report: { readonly model: string };
  bytes(): Uint8Array;
}

/** A model made by `augment`: its path, its bytes, opened, or the result of `augment` itself. */
export type Runnable = string | Uint8Array | OpenedModel | InMemory;

export interface RunResult extends RunSummary {
  readonly samples: number;
  readonly batchSize: number;
  readonly provider: Provider;
  /** The names of all classes, by label; `null` if unknown. */
  readonly classNames: readonly string[] | null;
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
  const { parts } = options;
  if (parts === undefined) return runPass(what, dataset, options, WHOLE_PASS);
  const merged = openParts(parts, await inputsOf(what, dataset, options));
  try {
    const result = await runPass(what, dataset, options, merged.pass('own'));
    return { ...result, notes: [...result.notes, ...merged.notes] };
  } finally {
    merged.close();
  }
}

/**
 * Runs an augmented model over one part of data, and keeps what it gives for `run` with `parts`, which finds what {@link run} alone finds,
 * bit for bit.
 *
 * @throws LossgraftError as {@link run} does, and `parts-differ` if the part was made of something else.
 */
export async function runPart(what: Runnable, dataset: Dataset, options: RunPartOptions): Promise<PartReport> {
  const { part, ...others } = checkedPart(runRows, options);
  const { provider } = await settleProvider(options.provider);
  const inputs = await inputsOf(what, dataset, options);
  return writePart({ ...part, inputs, provider }, async (passOf) => {
    await runPass(what, dataset, others, passOf('own'));
  });
}

async function inputsOf(what: Runnable, data: Dataset, options: RunOptions): Promise<PartInputs> {
  const { file } = fileOf(what);
  const model = typeof file === 'string' ? await sha256(file) : bytesHash(file);
  return partInputs({ command: 'run', model, data, options });
}

async function runPass(what: Runnable, dataset: Dataset, options: RunOptions, pass: Pass): Promise<RunResult> {
  const given = fileOf(what);
  const { onProgress } = options;
  // What was computed elsewhere asks for no device here.
  const { provider, notes: providerNotes } = await settleProvider(pass.provider ? 'cpu' : options.provider);
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
    const { first, last } = pass.rows(bound.size, batchSize);
    const collected = collector(manifest, bound.size);
    const watch = orderWatch(session.outputs, manifest.classes, binaryOf(manifest));
    const fetches = [...collected.outputs.values(), ...watch.fetches];
    const runBatch = async (start: number, count: number): Promise<Tensors> => {
      const feeds = await bound.read(start, count);
      const filled = fillUp(feeds, fixed);
      if (provider !== 'cpu' && start === first)
        notes.push((await proveBatch(provider, model, filled, (some) => session.run(some, fetches))).note);
      const results = await session.run(filled, fetches).catch(async (error: unknown) => {
        throw await explainLength(error, model, () => bound.read(0, 1), data.name);
      });
      return withLabels(feeds[input], results);
    };
    for (let start = first; start < last; start += batchSize) {
      const count = Math.min(batchSize, last - start);
      await breathe();
      const { labels, outputs } = apart(await pass.through(start, count, () => runBatch(start, count)));
      collected.add(start, count, labels, outputs);
      watch.add(labels?.data, count, outputs);
      onProgress?.({ done: start + count - first, total: last - first });
    }
    const classNames = data.classNames ?? null;
    const result = summarise(manifest, collected, classNames ?? []);
    const order = watch.notes({ where: data.name, names: classNames ?? undefined, from: found.names?.from });
    const all = [...notes, ...result.notes, ...order];
    const by = pass.provider ?? provider;
    return { samples: bound.size, batchSize, provider: by, classNames, ...result, notes: all };
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

function binaryOf({ binary, names }: Manifest): Parameters<typeof orderWatch>[2] {
  return binary && { ...binary, own: [...names.values()] };
}

const DYNAMIC: string = `Leave the option out, or augment the model with ${option('dynamicBatch')}`;
