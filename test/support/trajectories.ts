import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Form, open, type TrainGraph, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession, type Session } from '../../src/runtime/session.ts';
import { elementCount, type Tensor, type TensorData } from '../../src/tensor.ts';
import { arraysOf, NETWORKS, relativeError } from './networks.ts';

/** Steps of an optimizer as PyTorch takes them: see fixtures/README.md. */
export interface Trajectory {
  readonly name: string;
  readonly folder: string;
  readonly steps: number;
  readonly learningRate: number;
  readonly accumulate: number;
  readonly options: TrainGraphOptions;
}

const FOLDER = join(NETWORKS, 'trajectories');

export function findTrajectories(folder: string = FOLDER): Trajectory[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => {
    const json = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const {
      steps,
      learningRate,
      augment,
      optimizer,
      options,
      accumulate,
      clipNorm,
      noDecayForVectors,
      rateFactors,
      batchNorm,
    } = json;
    const given = { accumulate, clipNorm, noDecayForVectors, rateFactors, batchNorm };
    const own = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    return {
      name: file.replace(/\.json$/, ''),
      folder,
      steps,
      learningRate,
      accumulate: accumulate ?? 1,
      options: { ...augment, optimizer, ...options, ...own, trainable: 'all' },
    };
  });
}

type Tensors = Record<string, Tensor>;

/** What a form does with `count` micro-batches from `first` on: the next state and the losses. */
type Advance = (state: Tensors, first: number, count: number) => Promise<{ state: Tensors; losses: number[] }>;

/** Walks through a trajectory in one form; gives the losses, and the state after each of `milestones` steps. */
export async function walk(
  trajectory: Trajectory,
  form: Form,
  milestones: readonly number[],
): Promise<{ losses: number[]; reached: Record<number, Tensors> }> {
  const batches = await arraysOf(join(trajectory.folder, 'batches.npz'));
  const model = await open(join(trajectory.folder, 'model.onnx'));
  const parts = form === 'split' && trajectory.options.batchNorm === 'train' ? { batchNormPerWorker: true } : {};
  const graph = await trainGraph(model, { ...trajectory.options, form, ...parts });
  const sessions = await openAll(graph);
  const advance = advances[form](sessions, batches, trajectory.learningRate);
  let state: Tensors = Object.fromEntries(graph.initialState());
  const losses: number[] = [];
  const reached: Record<number, Tensors> = {};
  for (const milestone of milestones) {
    const to = milestone * trajectory.accumulate;
    const next = await advance(state, losses.length, to - losses.length);
    state = next.state;
    losses.push(...next.losses);
    reached[milestone] = state;
  }
  for (const session of sessions.values()) await session.close();
  model.close();
  return { losses, reached };
}

/** `step10 slots` to the largest error of a tensor of that kind, relative to its largest entry; of the milestones alone. */
export function worstOfKinds(reached: Tensors, expected: Tensors, milestones: readonly number[]): Map<string, number> {
  const worst = new Map<string, number>();
  for (const [key, tensor] of Object.entries(expected)) {
    const at = key.indexOf('/');
    const milestone = key.slice(0, Math.max(at, 0));
    if (!milestones.some((step) => milestone === `step${step}`)) continue;
    const kind = `${milestone} ${kindOf(key.slice(at + 1))}`;
    worst.set(kind, Math.max(worst.get(kind) ?? 0, relativeError(reached[key], tensor)));
  }
  return worst;
}

function kindOf(state: string): string {
  if (/\.(momentum|exp_avg|exp_avg_sq|step)$/.test(state)) return 'slots';
  return /\.running_(mean|var)$/.test(state) ? 'statistics' : 'parameters';
}

/** States after steps, by `stepK/NAME`. */
export function byStep(reached: Readonly<Record<number, Tensors>>): Tensors {
  const named = Object.entries(reached).flatMap(([step, state]) =>
    Object.entries(state).map(([name, tensor]) => [`step${step}/${name}`, tensor] as const),
  );
  return Object.fromEntries(named);
}

async function openAll(graph: TrainGraph): Promise<Map<string, Session>> {
  const sessions = new Map<string, Session>();
  for (const [name, bytes] of graph.bytes()) sessions.set(name, await openSession(bytes, { name }));
  return sessions;
}

type MakeAdvance = (sessions: ReadonlyMap<string, Session>, batches: Tensors, rate: number) => Advance;

const advances: Readonly<Record<Form, MakeAdvance>> = { step: oneByOne, loop: together, split: apart };

function oneByOne(sessions: ReadonlyMap<string, Session>, batches: Tensors, rate: number): Advance {
  return async (start, first, count) => {
    const losses: number[] = [];
    let state = start;
    for (let i = first; i < first + count; i++) {
      const results = await run(sessions, 'step.onnx', { ...state, ...rowOf(batches, i), learning_rate: scalar(rate) });
      losses.push(lossOf(results));
      state = nextOf(state, results);
    }
    return { state, losses };
  };
}

function together(sessions: ReadonlyMap<string, Session>, batches: Tensors, rate: number): Advance {
  return async (state, first, count) => {
    const rates: Tensor = { dtype: 'float32', dims: [count], data: new Float32Array(count).fill(rate) };
    const results = await run(sessions, 'step.onnx', {
      ...state,
      ...rowsOf(batches, first, count),
      learning_rate: rates,
    });
    return { state: nextOf(state, results), losses: results.loss ? toNumbers(results.loss) : [] };
  };
}

/** Gradients and statistics from one graph go into the other, together with the state that it knows. */
function apart(sessions: ReadonlyMap<string, Session>, batches: Tensors, rate: number): Advance {
  return async (start, first, count) => {
    const losses: number[] = [];
    let state = start;
    for (let i = first; i < first + count; i++) {
      const gradients = await run(sessions, 'gradients.onnx', { ...state, ...rowOf(batches, i) });
      const applied = await run(sessions, 'apply.onnx', { ...state, ...gradients, learning_rate: scalar(rate) });
      losses.push(lossOf(gradients));
      state = nextOf(state, { ...gradients, ...applied });
    }
    return { state, losses };
  };
}

async function run(sessions: ReadonlyMap<string, Session>, name: string, pool: Tensors): Promise<Tensors> {
  const session = sessions.get(name);
  if (!session) throw new Error(`no ${name}`);
  return session.run(Object.fromEntries(session.inputs.map((input) => [input.name, pool[input.name] as Tensor])));
}

function nextOf(state: Tensors, results: Tensors): Tensors {
  return Object.fromEntries(Object.keys(state).map((name) => [name, results[`${name}.next`] as Tensor]));
}

function lossOf({ loss }: Tensors): number {
  return loss ? (toNumbers(loss)[0] ?? Number.NaN) : Number.NaN;
}

function scalar(value: number): Tensor {
  return { dtype: 'float32', dims: [], data: Float32Array.of(value) };
}

function rowOf(batches: Tensors, row: number): Tensors {
  return Object.fromEntries(
    Object.entries(rowsOf(batches, row, 1)).map(([name, tensor]) => [name, { ...tensor, dims: tensor.dims.slice(1) }]),
  );
}

function rowsOf(batches: Tensors, first: number, count: number): Tensors {
  const slice = ({ dtype, dims, data }: Tensor): Tensor => {
    const size = elementCount(dims.slice(1));
    return {
      dtype,
      dims: [count, ...dims.slice(1)],
      data: data.slice(first * size, (first + count) * size) as TensorData,
    };
  };
  return Object.fromEntries(Object.entries(batches).map(([name, tensor]) => [name, slice(tensor)]));
}
