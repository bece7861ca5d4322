import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { bytesHash } from '../hash.ts';
import { graphEdit, isView } from '../ir/edit.ts';
import { BLOCKED_DOMAIN } from '../lower/layouts.ts';
import { type Model, modelHash } from '../model.ts';
import { editedBytes, readTensor, writeModel } from '../onnx/index.ts';
import type { ModelEdit } from '../onnx/types.ts';
import { verifyGraph } from '../runtime/oracle/oracle.ts';
import { type LazyTensor, writeSafetensors } from '../safetensors/write.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { refuseOnWebgpu } from '../transform/halfPrecision.ts';
import { checkStored, widened } from '../transform/widen.ts';
import type { Tie } from '../tuned/locate.ts';
import { VERSION } from '../version.ts';
import { refuseExisting, type WriteOptions, writeEdited } from '../write.ts';
import { sessionBytes } from './sessionBytes.ts';
import { type Built, buildSplit, buildStep, type Step, type StepReport, type StepRequest } from './step.ts';

export type { StepReport, StepRequest } from './step.ts';

/** `step`: one graph; `loop`: one graph with a Scan over steps; `split`: gradients and update apart. */
export type Form = 'step' | 'loop' | 'split';

export interface TrainGraphRequest extends StepRequest {
  readonly form: Form;
  /** Written into the manifest of the `loop` form: how many steps to feed in one run. */
  readonly stepsPerRun?: number;
}

/** Training graphs, not yet written. */
export interface TrainGraph {
  readonly report: StepReport;
  /** Tensors that are merged in the user's file but trained apart; {@link writeTuned} needs them. */
  readonly untied: readonly Tie[];
  /** Whether it holds forms for this machine's runtime and one batch: it is never written. */
  readonly isLowered: boolean;
  /** The files by name, in memory: `step.onnx`, or `gradients.onnx` and `apply.onnx`. */
  bytes(): ReadonlyMap<string, Uint8Array>;
  /** The one graph of the forms `step` and `loop`, for a session with the model's folder for external data. */
  sessionBytes(): Uint8Array;
  /** The SHA-256 of these bytes, in hex. */
  sessionHash(): string;
  /** The initial states: the model's weights and statistics; slots are zeros. New arrays at every call. */
  initialState(): ReadonlyMap<string, Tensor>;
  /**
   * Writes the graph to `path` and the state beside it as `<name>.safetensors`; the `split` form writes `gradients.onnx`,
   * `apply.onnx` and `state.safetensors` into the folder `path`.
   *
   * @returns the files that were written.
   */
  write(path: string, options?: WriteOptions): Promise<readonly string[]>;
}

/**
 * A training step of a classifier as standard ONNX operators: forward, loss, backward and optimizer.
 *
 * @throws LossgraftError naming what cannot be trained, and why.
 */
export async function trainGraph(given: Model, request: TrainGraphRequest): Promise<TrainGraph> {
  const model = widened(given);
  await checkStored(model);
  const built = await build(model, request);
  await verify(model, request, built);
  return graphOf(model, request, built);
}

/** The CPU provider, which verifies, has no bfloat16: it takes the graph that rounds. */
async function verify(model: Model, request: TrainGraphRequest, built: BuiltFiles): Promise<void> {
  const isBfloat16 = request.precision === 'mixed-bfloat16';
  const { files } = isBfloat16 ? await build(model, { ...request, roundsHalves: true }) : built;
  for (const { proto, graph } of files.values()) await verifyGraph(proto, graph);
}

/** The same for a session that is opened at once, which shows whether ONNX Runtime accepts the graph. */
export async function sessionGraph(model: Model, request: TrainGraphRequest): Promise<TrainGraph> {
  return graphOf(model, request, await build(model, request));
}

interface BuiltFiles {
  readonly step: Step;
  readonly files: ReadonlyMap<string, Built>;
}

function graphOf(model: Model, request: TrainGraphRequest, { step, files }: BuiltFiles): TrainGraph {
  const names = [...files.keys()];
  const isLowered = [...files.values()].some(({ graph }) => graph.opsetImports.has(BLOCKED_DOMAIN));
  const edit = (name: string, hash?: string): ModelEdit => {
    const file = files.get(name);
    if (!file) throw new Error(`no file ${name}`);
    const manifest = manifestOf(step, request, hash, names);
    return { ...graphEdit(file.proto, file.graph), metadata: new Map([['lossgraft', JSON.stringify(manifest)]]) };
  };
  let digest: string | undefined;
  const ownBytes = (): Uint8Array => {
    const bytes = sessionBytes(model, edit('step.onnx'));
    digest ??= bytesHash(bytes);
    return bytes;
  };
  const bytesOf = (name: string): Uint8Array => editedBytes((files.get(name) as Built).proto, edit(name));
  return {
    report: step.report,
    untied: step.backward.draft.untied.map(({ parameter, name }) => ({ parameter, name })),
    isLowered,
    bytes: () => new Map(names.map((name) => [name, bytesOf(name)])),
    sessionBytes: ownBytes,
    sessionHash: () => digest ?? bytesHash(ownBytes()),
    initialState: () => new Map(lazyState(model, step).map(({ name, read }) => [name, read()])),
    write: async (path, options = {}) => {
      if (isLowered) throw new Error('a graph with forms for one machine cannot be written to a file');
      const hash = await modelHash(model);
      if (request.form === 'split') return writeSplit(model, step, files, (name) => edit(name, hash), path, options);
      const state = path.replace(/(\.onnx)?$/, '.safetensors');
      refuseExisting(state, options.force ?? false);
      return writeTogether([
        [path, () => writeEdited(model, edit('step.onnx', hash), path, options)],
        [state, () => writeState(state, model, step)],
      ]);
    },
  };
}

async function build(model: Model, request: TrainGraphRequest): Promise<BuiltFiles> {
  if (request.target === 'webgpu') refuseOnWebgpu(request.precision);
  if (request.form === 'split') {
    const step = await buildSplit(model, request);
    return {
      step,
      files: new Map([
        ['gradients.onnx', step.gradients],
        ['apply.onnx', step.apply],
      ]),
    };
  }
  const step = await buildStep(model, request, request.form === 'loop');
  return { step, files: new Map([['step.onnx', step.built]]) };
}

function writeSplit(
  model: Model,
  step: Step,
  files: ReadonlyMap<string, Built>,
  edit: (name: string) => ModelEdit,
  folder: string,
  options: WriteOptions,
): string[] {
  refuseFile(folder);
  mkdirSync(folder, { recursive: true });
  const state = join(folder, 'state.safetensors');
  const paths = [...[...files.keys()].map((name) => join(folder, name)), state];
  for (const path of paths) refuseExisting(path, options.force ?? false);
  const graphs = [...files].map(([name, { proto }]) => {
    const path = join(folder, name);
    const write = (): void =>
      proto === model.proto ? writeEdited(model, edit(name), path, options) : writeModel(proto, edit(name), path);
    return [path, write] as const;
  });
  return writeTogether([...graphs, [state, () => writeState(state, model, step)]]);
}

/** Writes all files or none: files written before a failure are removed. */
function writeTogether(files: readonly (readonly [path: string, write: () => void])[]): string[] {
  const written: string[] = [];
  try {
    for (const [path, write] of files) {
      write();
      written.push(path);
    }
    return written;
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    throw error;
  }
}

function refuseFile(folder: string): void {
  if (!existsSync(folder) || !folder.endsWith('.onnx')) return;
  throw new LossgraftError({
    code: 'output-folder',
    where: folder,
    expected: 'a folder for the two graphs of the split form',
    found: 'a path ending in .onnx',
    hint: 'Name a folder',
  });
}

function writeState(path: string, model: Model, step: Step): void {
  writeSafetensors(path, lazyState(model, step), { lossgraft: VERSION, model: model.name });
}

/** A copy, so that it can be transferred. */
function copy({ dtype, dims, data }: Tensor): Tensor {
  return { dtype, dims, data: data.slice() };
}

/** The states at the start, each read when it is requested. */
function lazyState(model: Model, { states, backward }: Step): LazyTensor[] {
  const kept = [
    ...backward.trained,
    ...backward.draft.statistics.map(({ current, source }) => ({ value: current, source })),
  ];
  const sources = new Map(kept.map(({ value, source }) => [value.name, source]));
  return states.map(({ current, kind, initial = 0 }) => {
    const dims = (current.shape ?? []).map(Number);
    const read = (): Tensor => {
      const source = sources.get(current.name);
      if (source)
        return isView(source) ? readTensor(model.proto.source, source, { modelDir: model.dir }) : copy(source);
      if (kind === 'slot') return { dtype: 'float32', dims, data: new Float32Array(elementCount(dims)).fill(initial) };
      throw new Error(`no initial value of ${current.name}`);
    };
    return { name: current.name, dtype: 'float32', dims, bytes: 4 * elementCount(dims), read };
  });
}

function manifestOf(
  step: Step,
  request: TrainGraphRequest,
  hash: string | undefined,
  files: readonly string[],
): Readonly<Record<string, unknown>> {
  const { model, notes: _notes, unreached: _unreached, leftOut: _leftOut, ...rest } = step.report;
  const { form, stepsPerRun } = request;
  const source = { file: model, ...(hash === undefined ? {} : { sha256: hash }) };
  return {
    version: VERSION,
    kind: 'train',
    form,
    files,
    ...(stepsPerRun === undefined ? {} : { stepsPerRun }),
    ...rest,
    source,
  };
}
