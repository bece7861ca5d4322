import { parentPort } from 'node:worker_threads';
import { LossgraftError } from '../errors.ts';
import { proveOnCuda } from '../runtime/proof.ts';
import { openSession, type Provider, type Session } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { elementCount } from '../tensor.ts';
import type { Answer, Answers, Job, Losses, Question, Tensors } from './protocol.ts';
import { readSafetensors } from './readSafetensors.ts';
import { writeSafetensors } from './safetensors.ts';

/** The thread in which ONNX Runtime runs: it blocks, so that the main thread reads data, reports and listens meanwhile. */

interface Opened {
  readonly session: Session;
  readonly bytes: Uint8Array;
  readonly provider: Provider;
  readonly externalDataFolder: string;
  proved: boolean;
}

const graphs = new Map<string, Opened>();
let state: Readonly<Record<string, Tensor>> = {};

async function answer(job: Job): Promise<Answers[Job['kind']]> {
  switch (job.kind) {
    case 'open':
      await open(job);
      return;
    case 'close':
      await opened(job.graph).session.close();
      graphs.delete(job.graph);
      return;
    case 'load':
      state = Object.fromEntries(readSafetensors(job.path));
      return;
    case 'save':
      save(job.path);
      return;
    case 'set':
      state = job.state;
      return;
    case 'train':
      return train(job);
    case 'evaluate':
      return evaluate(job);
    case 'check':
      return firstBad() ?? '';
  }
}

async function open({ graph, bytes, provider, externalDataFolder }: Extract<Job, { kind: 'open' }>): Promise<void> {
  const session = await openSession(bytes, { name: graph, provider, externalDataFolder });
  graphs.set(graph, { session, bytes, provider, externalDataFolder, proved: provider === 'cpu' });
}

function opened(graph: string): Opened {
  const found = graphs.get(graph);
  if (found) return found;
  throw new Error(`no graph ${graph} is open`);
}

/** The feeds and, of the state, what the graph reads besides. */
function withState({ session }: Opened, feeds: Tensors): Tensors {
  const names = session.inputs.map(({ name }) => name).filter((name) => !(name in feeds));
  return { ...feeds, ...Object.fromEntries(names.flatMap((name) => (state[name] ? [[name, state[name]]] : []))) };
}

async function train({ graph, feeds, loss }: Extract<Job, { kind: 'train' }>): Promise<Losses> {
  const open = opened(graph);
  const given = withState(open, feeds);
  const note = await prove(open, given);
  const results = await open.session.run(given);
  const losses = Array.from(results[loss]?.data ?? [], Number);
  if (losses.every(Number.isFinite)) {
    state = Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [name, results[`${name}.next`] ?? tensor]),
    );
  }
  return { losses, ...note };
}

async function evaluate({ graph, feeds, fetches }: Extract<Job, { kind: 'evaluate' }>): Promise<Tensors> {
  const open = opened(graph);
  return open.session.run(withState(open, feeds), fetches);
}

async function prove(open: Opened, feeds: Tensors): Promise<{ note?: string }> {
  if (open.proved) return {};
  const { externalDataFolder } = open;
  const { cudaNodes, shapeNodes } = await proveOnCuda(open.bytes, feeds, { externalDataFolder });
  open.proved = true;
  const shapes = shapeNodes.length > 0 ? `, ${shapeNodes.length} of shape arithmetic on the CPU` : '';
  return { note: `CUDA proved on the first batch: ${cudaNodes.length} nodes on CUDAExecutionProvider${shapes}` };
}

function save(path: string): void {
  const tensors = Object.entries(state).map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    dims: tensor.dims,
    bytes: 4 * elementCount(tensor.dims),
    read: () => tensor,
  }));
  writeSafetensors(path, tensors, { kind: 'lossgraft training state' });
}

function firstBad(): string | undefined {
  return Object.entries(state).find(
    ([, { data }]) => data instanceof Float32Array && !data.every(Number.isFinite),
  )?.[0];
}

async function reply({ id, job }: Question): Promise<Answer> {
  try {
    return { id, value: await answer(job) };
  } catch (error) {
    if (!(error instanceof LossgraftError))
      return { id, error: error instanceof Error ? String(error.stack) : String(error) };
    const { cause: _cause, ...problem } = error.problem;
    return { id, problem };
  }
}

// One job after the other, in the order in which they were asked.
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (question: Question) => {
  last = last.then(async () => parentPort?.postMessage(await reply(question)));
});
