import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { writeShards } from '../../data/shards/write.ts';
import { LossgraftError, option } from '../../errors.ts';
import { replaceFolder, writeFailed } from '../../files/whole.ts';
import { sha256 } from '../../hash.ts';
import type { Model } from '../../model.ts';
import { checkOptions } from '../../options/check.ts';
import { writeRunFile } from '../../runFolder/runFile.ts';
import { writeSafetensors } from '../../safetensors/write.ts';
import { trainRows } from '../../tables/train.ts';
import { elementCount } from '../../tensor.ts';
import { type Group, stepsIn } from '../../trainer/groups.ts';
import { planGroups } from '../../trainer/planGroups.ts';
import type { GraphRequest } from '../../trainer/request.ts';
import { LEARNING_RATE } from '../../trainGraph/backward.ts';
import { type TrainGraph, trainGraph } from '../../trainGraph/trainGraph.ts';
import { widened } from '../../transform/widen.ts';
import { VERSION } from '../../version.ts';
import type { Catalogue, TrainOptions } from '../options.ts';
import { type PreparedRun, prepareRun } from '../prepare.ts';
import { boundData } from './boundData.ts';
import { samplesIn, writeEpochs } from './epochs.ts';
import { JOB_FILES, JOB_FORMAT, type JobGraph, type JobPlan, RUNNER_VERSION } from './planFile.ts';
import { jobReadme, requirements } from './readme.ts';
import { refuseUnsupported } from './refuse.ts';
import { copyRunner } from './runner.ts';

/** What a job has beside the options of `train`. */
export interface JobOptions {
  /** Whether BatchNorm in training mode may use the statistics of each worker's part of a batch. */
  readonly batchNormPerWorker?: boolean | undefined;
}

/** A job that was written. */
export interface Job {
  readonly folder: string;
  readonly arm: string;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  readonly samples: number;
  readonly notes: readonly string[];
}

/** In a job nothing is trained twice: what was judged is written. */
export const NO_REFIT = `A job trains once: what was judged is written, as with ${option('refit', false)}`;

/**
 * Writes a training as a folder that workers walk without lossgraft: graphs, rates, orders, data. `collectJob` judges what they made of it.
 *
 * @throws LossgraftError as `train` does before its first step; `job-unsupported`, `output-exists`, `write-failed`.
 */
export async function exportJob(catalogue: Catalogue, model: Model, given: JobOptions & TrainOptions): Promise<Job> {
  const { batchNormPerWorker, ...asked } = given;
  checkOptions(trainRows, asked, () => true);
  const { folder, mode } = asked;
  refuseFolder(folder, mode === 'replace');
  const isOwn = asked.refit === undefined;
  if (isOwn) asked.onNote?.(NO_REFIT);
  const options: TrainOptions = { ...asked, folder: join(folder, JOB_FILES.run), mode: 'new' };
  const prepared = await prepareRun(catalogue, widened(model), isOwn ? { ...options, refit: false } : options, []);
  refuseUnsupported(asked, prepared);
  const planned = planGroups(prepared.request, 0);
  for (const note of planned.notes) asked.onNote?.(note);
  const graphs = await graphsOf(prepared, { batchNormPerWorker });
  try {
    const write = (temporary: string): Promise<JobPlan> => writeJob(temporary, prepared, graphs, planned.groups);
    const { arm, epochs, steps, batchSize, samples } = await replaceFolder(resolve(folder), write);
    const notes = [...(isOwn ? [NO_REFIT] : []), ...prepared.notes, ...planned.notes];
    return { folder, arm, epochs: epochs.length, stepsPerEpoch: steps, batchSize, samples, notes };
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? writeFailed(folder, cause) : cause;
  }
}

type Graphs = ReadonlyMap<'first' | 'loss', { readonly graph: TrainGraph; readonly request: GraphRequest }>;

/** The graphs of the phases that a training has. */
async function graphsOf({ request }: PreparedRun, { batchNormPerWorker }: JobOptions): Promise<Graphs> {
  const { model, arms, first, schedule } = request;
  const [arm] = arms;
  if (arm === undefined) throw new Error('no loss');
  const phases = new Map([
    ...(schedule.ibFrom > 0 ? [['first', first] as const] : []),
    ['loss', arm.graph(undefined)] as const,
  ]);
  const made = new Map<'first' | 'loss', { graph: TrainGraph; request: GraphRequest }>();
  const own = batchNormPerWorker === undefined ? {} : { batchNormPerWorker };
  for (const [phase, asked] of phases)
    made.set(phase, { graph: await trainGraph(model, { ...asked, ...own, form: 'split' }), request: asked });
  return made;
}

async function writeJob(
  folder: string,
  prepared: PreparedRun,
  graphs: Graphs,
  groups: readonly Group[],
): Promise<JobPlan> {
  const { request } = prepared;
  const { arms, augmentation = {}, data, batchSize } = request;
  const described: Record<string, JobGraph> = {};
  for (const [phase, { graph, request: asked }] of graphs) {
    await graph.write(join(folder, 'graphs', phase));
    rmSync(join(folder, 'graphs', phase, 'state.safetensors'));
    described[phase] = jobGraph(phase, graph, asked);
  }
  for (const { graph } of [...graphs.values()].slice(0, 1)) writeState(join(folder, JOB_FILES.state), graph);
  const [one] = Object.values(described);
  const bound = await boundData(data, request.train, one?.labels ?? 'labels');
  await writeShards(bound, join(folder, JOB_FILES.data));
  const epochs = writeEpochs(folder, request, groups);
  const [images] = [...bound.columns].filter(([, column]) => column.dims.length === 4);
  const isMoved = epochs.some(({ draws }) => draws !== null);
  mkdirSync(join(folder, JOB_FILES.run));
  writeRunFile(join(folder, JOB_FILES.run), request.record, false);
  copyRunner(join(folder, 'runner'));
  writeFileSync(join(folder, 'requirements.txt'), requirements(request.record.versions));
  const plan: JobPlan = {
    format: JOB_FORMAT,
    lossgraft: VERSION,
    runner: RUNNER_VERSION,
    arm: arms[0]?.name ?? '',
    graphs: described,
    epochs,
    samples: samplesIn(groups),
    batchSize,
    steps: stepsIn(groups),
    state: JOB_FILES.state,
    data: JOB_FILES.data,
    augmentation:
      isMoved && images
        ? { input: images[0], padding: augmentation.padding ?? 0, black: blackOf(prepared, images[0]) }
        : null,
    files: await hashesIn(folder),
    settings: request.settings,
  };
  writeFileSync(join(folder, 'README.md'), jobReadme(plan));
  writeFileSync(join(folder, JOB_FILES.plan), `${JSON.stringify(plan, undefined, 1)}\n`);
  return plan;
}

function blackOf({ request: { data } }: PreparedRun, input: string): readonly number[] {
  return (data.columns.get(input) ?? data.unnamed)?.black ?? [];
}

function jobGraph(phase: string, { report }: TrainGraph, { rename }: GraphRequest): JobGraph {
  const { names, workers } = report;
  if (workers === undefined) throw new Error('not the split form');
  return {
    gradients: `graphs/${phase}/gradients.onnx`,
    apply: `graphs/${phase}/apply.onnx`,
    outputs: workers.outputs,
    rowOffset: workers.rowOffset,
    loss: names.loss ?? 'loss',
    labels: names.labels ?? 'labels',
    learningRate: rename?.[LEARNING_RATE] ?? LEARNING_RATE,
  };
}

function writeState(path: string, graph: TrainGraph): void {
  const tensors = [...graph.initialState()].map(([name, tensor]) => {
    const { dtype, dims } = tensor;
    return { name, dtype, dims, bytes: 4 * elementCount(dims), read: () => tensor };
  });
  writeSafetensors(path, tensors, { lossgraft: VERSION });
}

/** Of what the runner reads. The index of the shards has the hashes of theirs. */
async function hashesIn(folder: string): Promise<Record<string, string>> {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter(
      (path) => /^(graphs|epochs)\//.test(path) || path === JOB_FILES.state || path === `${JOB_FILES.data}/shards.json`,
    );
  const hashes: Record<string, string> = {};
  for (const path of paths.sort()) hashes[path] = await sha256(join(folder, path));
  return hashes;
}

/** Only a job gives way to another. */
function refuseFolder(folder: string, force: boolean): void {
  if (!existsSync(folder)) return;
  const isJob = existsSync(join(folder, JOB_FILES.plan));
  if (force && isJob) return;
  throw new LossgraftError({
    code: 'output-exists',
    where: folder,
    expected: 'no folder of that name yet',
    found: isJob ? 'a job' : 'something else',
    hint: isJob
      ? `Choose another name, or add ${option('force')} to replace it and what was trained of it`
      : 'Choose another name',
  });
}
