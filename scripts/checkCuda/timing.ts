import { open, trainGraph } from '../../src/index.ts';
import { openSession, type Provider, type Session } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { stackSteps } from '../../src/thread/steps.ts';
import { batchOf } from './networks.ts';

export interface TimedNetwork {
  readonly name: string;
  readonly path: string;
  readonly batch: number;
  readonly norms: boolean;
}

export interface TimingTask {
  readonly provider: Provider;
  /** float32 products; with `tf32` in TF32; `mixed` in float16, and the rest in TF32. */
  readonly mode: 'float32' | 'tf32' | 'mixed';
  readonly seconds: number;
  readonly networks: readonly TimedNetwork[];
}

/** Steps in one run of the Scan form. */
const TOGETHER = 10;

/** Times steps in this process, which has the setting of TF32 for itself: one JSON object a line. */
export async function timeSteps(task: TimingTask): Promise<void> {
  for (const network of task.networks) {
    // The others are timed all the same.
    await timeNetwork(task, network).catch((error: unknown) => console.error(`${network.name}: ${error}`));
  }
}

async function timeNetwork(
  { provider, mode, seconds }: TimingTask,
  { name, path, batch, norms }: TimedNetwork,
): Promise<void> {
  using model = await open(path);
  const graph = await trainGraph(model, {
    loss: 'ce',
    trainable: 'all',
    batchNorm: norms ? 'train' : 'frozen',
    form: 'loop',
    stepsPerRun: TOGETHER,
    precision: mode === 'mixed' ? 'mixed' : 'float32',
  });
  const bytes = graph.bytes().get('step.onnx') ?? new Uint8Array();
  const session = await openSession(bytes, { provider, tf32: mode !== 'float32', memoryPattern: false, name });
  let state = Object.fromEntries(graph.initialState());
  const given = feedsOf(session, state, batch);
  const run = async (): Promise<number> => {
    const started = performance.now();
    const results = await session.run({ ...state, ...given });
    const took = performance.now() - started;
    state = Object.fromEntries(Object.keys(state).map((key) => [key, results[`${key}.next`] as Tensor]));
    return took / TOGETHER;
  };
  for (let warm = 0; warm < 2; warm++) await run();
  const times: number[] = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end || times.length < 3) times.push(await run());
  await session.close();
  const ms = times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  console.log(JSON.stringify({ name, mode, ms, runs: times.length }));
}

/** One batch for each step of a run. */
function feedsOf(session: Session, state: Readonly<Record<string, Tensor>>, batch: number): Record<string, Tensor> {
  const ports = session.inputs.map((port) => ({ ...port, shape: port.shape?.slice(1) }));
  const rows = batchOf(ports, state, 10, TOGETHER * batch, 0);
  const rates: Tensor = { dtype: 'float32', dims: [TOGETHER], data: new Float32Array(TOGETHER).fill(0.01) };
  return { ...stackSteps(rows, TOGETHER), learning_rate: rates };
}
