import { parentPort } from 'node:worker_threads';
import { LossgraftError } from '../errors.ts';
import { proveOnDevice } from '../runtime/deviceProof.ts';
import { ownBuffers, release } from '../runtime/release.ts';
import { DeviceTensor, openSession, type Provider, type Session } from '../runtime/session.ts';
import { batchOf, inHalves, rowsOf, withFittingBatch } from '../runtime/webgpu/fitting.ts';
import { readBack } from '../runtime/webgpu/readBack.ts';
import { readSafetensors } from '../safetensors/read.ts';
import { writeSafetensors } from '../safetensors/write.ts';
import { elementCount } from '../tensor.ts';
import { LOSS_SCALE, SKIPPED_STEPS } from '../transform/lossScale.ts';
import { dispose, type State, stepDiffers, stepOnDevice } from './deviceSteps.ts';
import type { Answer, Answers, Front, Job, Losses, Question, Tensors } from './protocol.ts';
import { TRAINING_SESSION } from './sessionOptions.ts';
import { stackBatches, stepOf, stepsOf } from './steps.ts';

/** The thread in which ONNX Runtime runs: it blocks, while the main thread reads data, reports and listens. */

interface Opened {
  readonly session: Session;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly provider: Provider;
  readonly externalDataFolder: string;
  readonly front: Front | undefined;
  /** Of a graph of one step. */
  readonly states: readonly string[] | undefined;
  proved: boolean;
}

const graphs = new Map<string, Opened>();
let state: State = {};

async function answer(job: Job, idle: number): Promise<Answers[Job['kind']]> {
  switch (job.kind) {
    case 'open':
      await open(job);
      return;
    case 'close':
      await opened(job.graph).session.close();
      graphs.delete(job.graph);
      return;
    case 'load':
      replaceState(Object.fromEntries(readSafetensors(job.path)));
      return;
    case 'save':
      await save(job.path);
      return;
    case 'set':
      replaceState(job.state);
      return;
    case 'train':
      return train(job, idle);
    case 'evaluate':
      return evaluate(job);
    case 'freeze':
      return using(job.feeds, () => freeze(opened(job.graph), job.feeds));
    case 'check':
      return (await firstBad()) ?? '';
  }
}

async function open(job: Extract<Job, { kind: 'open' }>): Promise<void> {
  const { graph, name, bytes, provider, externalDataFolder, front, threads, states } = job;
  const where = { name, provider, externalDataFolder, ...(threads === undefined ? {} : { threads }) };
  const onDevice = states ? { onDevice: states.map((state) => `${state}.next`) } : {};
  const session = await openSession(bytes, { ...TRAINING_SESSION, ...where, ...onDevice });
  graphs.set(graph, { session, name, bytes, provider, externalDataFolder, front, states, proved: provider === 'cpu' });
}

function opened(graph: string): Opened {
  const found = graphs.get(graph);
  if (found) return found;
  throw new Error(`no graph ${graph} is open`);
}

/** The feeds that a graph reads. The graph in front of it runs first, for each of `steps` batches, unless the feeds hold its outputs. */
async function behindFront({ session, front }: Opened, feeds: Tensors, steps: number | undefined): Promise<Tensors> {
  if (!front) return feeds;
  const inputs = new Set(session.inputs.map(({ name }) => name));
  const wanted = Object.entries(front.feeds).filter(([, feed]) => inputs.has(feed));
  const read = (all: Tensors): Tensors => Object.fromEntries(Object.entries(all).filter(([name]) => inputs.has(name)));
  if (wanted.every(([, feed]) => feed in feeds)) return read(feeds);
  const made = await freezeSteps(opened(front.graph), feeds, steps);
  const left = read(feeds);
  release(Object.values(feeds).filter((tensor) => !Object.values(left).includes(tensor)));
  return {
    ...left,
    ...Object.fromEntries(wanted.flatMap(([name, feed]) => (made[name] ? [[feed, made[name]]] : []))),
  };
}

async function freeze(open: Opened, feeds: Tensors): Promise<Tensors> {
  const inputs = open.session.inputs.map(({ name }) => name);
  const given = Object.fromEntries(inputs.flatMap((name) => (feeds[name] ? [[name, feeds[name]]] : [])));
  await prove(open, given);
  return open.session.run(given);
}

/** Stacked batches run one after the other: together they would take the memory of all. */
async function freezeSteps(open: Opened, feeds: Tensors, steps: number | undefined): Promise<Tensors> {
  if (steps === undefined) return freeze(open, feeds);
  const made: Tensors[] = [];
  for (let step = 0; step < steps; step++) made.push(await freeze(open, stepOf(feeds, step)));
  return stackBatches(made);
}

/** The feeds, and the part of the state that the graph reads. */
function withState({ session }: Opened, feeds: Tensors): State {
  const names = session.inputs.map(({ name }) => name).filter((name) => !(name in feeds));
  return { ...feeds, ...Object.fromEntries(names.flatMap((name) => (state[name] ? [[name, state[name]]] : []))) };
}

async function train({ graph, feeds, loss }: Extract<Job, { kind: 'train' }>, idle: number): Promise<Losses> {
  const open = opened(graph);
  const own = await behindFront(open, feeds, stepsOf(feeds));
  if (open.states) return trainOnDevice(open, { own, feeds, loss }, idle);
  const given = withState(open, own);
  const note = await prove(open, await readBack(given));
  const results = await using({ ...feeds, ...own }, () => open.session.run(given));
  const losses = Array.from(results[loss]?.data ?? [], Number);
  const next = Object.entries(state).map(([name, tensor]) => [name, results[`${name}.next`] ?? tensor] as const);
  if (losses.every(Number.isFinite)) replaceState(Object.fromEntries(next));
  return { losses, idle, ...(await scaling()), ...note };
}

async function scaling(): Promise<Pick<Losses, 'scaling'>> {
  const names = [LOSS_SCALE, SKIPPED_STEPS];
  const read = await readBack(Object.fromEntries(Object.entries(state).filter(([name]) => names.includes(name))));
  const [lossScale, skippedSteps] = names.map((name) => read[name]?.data[0]);
  if (lossScale === undefined) return {};
  return { scaling: { lossScale: Number(lossScale), skippedSteps: Number(skippedSteps) } };
}

/** The same by a graph of one step, again and again. */
async function trainOnDevice(
  open: Opened,
  { own, feeds, loss }: { readonly own: Tensors; readonly feeds: Tensors; readonly loss: string },
  idle: number,
): Promise<Losses> {
  const step = async () => {
    const proof = await proveStep(open, own, loss);
    return { ...(await stepOnDevice(open.session, state, own, loss)), proof };
  };
  const {
    losses,
    state: next,
    proof: note,
  } = await step().catch(async (error: unknown) => {
    const one = stepOf(own, 0);
    const batch = batchOf(one);
    throw await withFittingBatch(error, batch, async (rows) => {
      dispose(await open.session.runOnDevice(withState(open, rowsOf(one, batch, rows))), [state]);
    });
  });
  release(Object.values({ ...feeds, ...own }));
  if (next) replaceState(next);
  return { losses, idle, ...(await scaling()), ...note };
}

async function proveStep(open: Opened, own: Tensors, loss: string): Promise<{ note?: string }> {
  if (open.proved) return {};
  const before = await readBack(withState(open, stepOf(own, 0)));
  return prove(open, before, { differs: stepDiffers(before, loss) });
}

async function evaluate({ graph, feeds, fetches }: Extract<Job, { kind: 'evaluate' }>): Promise<Tensors> {
  const open = opened(graph);
  const own = await behindFront(open, feeds, undefined);
  const run = async (part: Tensors): Promise<Tensors> => {
    // A WebGPU session takes nodes without a kernel to the CPU; CUDA's is refused when it is opened.
    if (open.provider === 'webgpu' && !open.proved) await prove(open, await readBack(withState(open, part)));
    return open.session.run(withState(open, part), fetches);
  };
  return using({ ...feeds, ...own }, () => inHalves(own, run));
}

/** Feeds serve one run: their memory is freed at once. */
async function using(feeds: Tensors, run: () => Promise<Tensors>): Promise<Tensors> {
  const results = await run();
  release(Object.values(feeds));
  return results;
}

function replaceState(next: State): void {
  const kept = new Set(Object.values(next));
  release(
    Object.values(state).flatMap((tensor) => (tensor instanceof DeviceTensor || kept.has(tensor) ? [] : [tensor])),
  );
  dispose(state, [next]);
  state = next;
}

async function prove(
  open: Opened,
  feeds: Tensors,
  how: Pick<Parameters<typeof proveOnDevice>[3] & object, 'differs'> = {},
): Promise<{ note?: string }> {
  const { externalDataFolder, name, provider } = open;
  if (open.proved || provider === 'cpu') return {};
  const { note } = await proveOnDevice(provider, open.bytes, feeds, { externalDataFolder, name, ...how });
  open.proved = true;
  return { note };
}

async function save(path: string): Promise<void> {
  const tensors = Object.entries(await readBack(state)).map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    dims: tensor.dims,
    bytes: 4 * elementCount(tensor.dims),
    read: () => tensor,
  }));
  writeSafetensors(path, tensors, { kind: 'lossgraft training state' });
}

async function firstBad(): Promise<string | undefined> {
  return Object.entries(await readBack(state)).find(
    ([, { data }]) => data instanceof Float32Array && !data.every(Number.isFinite),
  )?.[0];
}

async function reply({ id, job }: Question, idle: number): Promise<Answer> {
  try {
    return { id, value: await answer(job, idle) };
  } catch (error) {
    if (!(error instanceof LossgraftError))
      return { id, error: error instanceof Error ? String(error.stack) : String(error) };
    const { cause: _cause, ...problem } = error.problem;
    return { id, problem };
  }
}

/** Buffers of results: they are transferred, not copied. */
function resultsOf(answered: Answer): ArrayBuffer[] {
  const { value } = 'value' in answered ? answered : {};
  return typeof value === 'object' && !('losses' in value) ? ownBuffers(Object.values(value as Tensors)) : [];
}

/** Frees what the thread holds. In Node a thread is ended instead; a page has it beside its other work. */
export async function end(): Promise<void> {
  await last;
  for (const { session } of graphs.values()) await session.close();
  graphs.clear();
  replaceState({});
}

// Jobs run one at a time, in order.
let last: Promise<void> = Promise.resolve();
let idleSince = performance.now();
parentPort?.on('message', (question: Question) => {
  last = last.then(async () => {
    const answered = await reply(question, performance.now() - idleSince);
    parentPort?.postMessage(answered, resultsOf(answered));
    idleSince = performance.now();
  });
});
