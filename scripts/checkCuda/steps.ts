import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, trainGraph } from '../../src/index.ts';
import { openSession, type Session } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { joinData } from '../../src/tensorRows.ts';
import { stackSteps } from '../../src/thread/steps.ts';
import { Collector, type Item } from './collector.ts';
import type { PartContext } from './context.ts';
import { batchOf, type Chosen, chosenNetworks, lossOf } from './networks.ts';

const STEPS = 100;
/** In one run of the Scan form. */
const TOGETHER = 10;
const BATCH = 16;
const RATE = 0.01;
/** Of the loss, after 10 and after 100 steps: differences of rounding grow from step to step. */
const BOUNDS: readonly (readonly [step: number, bound: number])[] = [
  [10, 1e-3],
  [100, 2e-2],
];

/** A hundred steps of SGD with momentum on CUDA and on the CPU. */
export async function checkSteps(context: PartContext): Promise<void> {
  const networks = chosenNetworks(context).filter(({ name }) => /ResNet|LSTM|BERT/.test(name));
  const collector = new Collector(context.out, networks.length, context.until);
  await collector.each(
    networks,
    ({ name }) => name,
    (network) => compareSteps(network, context),
  );
}

async function compareSteps(network: Chosen, context: PartContext): Promise<Item> {
  const cpu = await trainSteps(network, { ...context, provider: 'cpu' });
  const gpu = await trainSteps(network, context);
  const apart = BOUNDS.map(([step, bound]) => {
    const differences = cpu
      .slice(0, step)
      .map((loss, i) => Math.abs((gpu[i] ?? Number.NaN) - loss) / Math.max(Math.abs(loss), 0.01));
    const worst = differences.reduce(
      (most, each) => (Number.isNaN(each) ? Number.POSITIVE_INFINITY : Math.max(most, each)),
      0,
    );
    return { step, bound, worst };
  });
  const row = {
    network: network.name,
    'first loss': Number(cpu[0]?.toPrecision(5)),
    [`loss after ${STEPS} steps`]: Number(gpu.at(-1)?.toPrecision(5)),
    "the CPU's": Number(cpu.at(-1)?.toPrecision(5)),
    ...Object.fromEntries(
      apart.map(({ step, worst }) => [`largest difference in ${step}`, Number(worst.toPrecision(2))]),
    ),
  };
  const bad = apart.find(({ worst, bound }) => !(worst <= bound));
  return bad === undefined
    ? { row }
    : { row, failure: `losses of ${bad.step} steps differ by up to ${bad.worst.toExponential(1)} from the CPU's` };
}

async function trainSteps(network: Chosen, { provider }: PartContext): Promise<number[]> {
  using model = await open(network.path);
  const graph = await trainGraph(model, { ...lossOf(network), form: 'loop', stepsPerRun: TOGETHER });
  const session = await openSession(graph.bytes().get('step.onnx') ?? new Uint8Array(), {
    provider,
    name: network.name,
  });
  const state = Object.fromEntries(graph.initialState());
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step += TOGETHER)
    losses.push(...(await runGroup(session, state, network.classes, BATCH, step)));
  await session.close();
  return losses;
}

/** One run of a Scan over steps; the state goes on. @returns its losses. */
export async function runGroup(
  session: Session,
  state: Record<string, Tensor>,
  classes: number,
  batch: number,
  first: number,
): Promise<number[]> {
  const ports = session.inputs.map((port) => (port.name in state ? port : { ...port, shape: port.shape?.slice(1) }));
  const batches = Array.from({ length: TOGETHER }, (_, i) => batchOf(ports, state, classes, batch, first + i));
  const joined = Object.keys(batches[0] ?? {}).map((name): [string, Tensor] => {
    const parts = batches.flatMap((each) => each[name] ?? []);
    const [
      {
        dtype,
        dims: [, ...rest],
      } = { dtype: 'float32' as const, dims: [] },
    ] = parts;
    return [name, { dtype, dims: [TOGETHER * batch, ...rest], data: joinData(parts.map(({ data }) => data)) }];
  });
  const rates: Tensor = { dtype: 'float32', dims: [TOGETHER], data: new Float32Array(TOGETHER).fill(RATE) };
  const results = await session.run({
    ...state,
    ...stackSteps(Object.fromEntries(joined), TOGETHER),
    learning_rate: rates,
  });
  for (const name of Object.keys(state)) state[name] = results[`${name}.next`] ?? (state[name] as Tensor);
  return Array.from(results.loss?.data ?? [], Number);
}

/** What crosses between the CPU and the GPU in the Scan form, by the profile. */
export async function checkTransfers(context: PartContext): Promise<void> {
  const networks = chosenNetworks(context).slice(0, 1);
  const collector = new Collector(context.out, networks.length, context.until);
  await collector.each(
    networks,
    ({ name }) => name,
    (network) => profileScan(network, context),
  );
}

async function profileScan(network: Chosen, { provider, work }: PartContext): Promise<Item> {
  using model = await open(network.path);
  const graph = await trainGraph(model, { ...lossOf(network), form: 'loop', stepsPerRun: TOGETHER });
  const profile = join(work, `scan-${process.pid}`);
  const session = await openSession(graph.bytes().get('step.onnx') ?? new Uint8Array(), {
    provider,
    profile,
    name: network.name,
  });
  const state = Object.fromEntries(graph.initialState());
  await runGroup(session, state, network.classes, BATCH, 0);
  const events: unknown = JSON.parse(readFileSync(await session.endProfiling(), 'utf8'));
  await session.close();
  const found = transfersIn(Array.isArray(events) ? events : []);
  const states = graph.report.states.length;
  const row = { network: network.name, states, 'steps in the run': TOGETHER, ...found };
  const most = found['copies to the GPU'] + found['copies to the CPU'];
  // Each state crosses once in and once out of a run, and so do the batches; a state that crossed in each step would be ten times that.
  if (provider !== 'cuda' || most <= 4 * states + 20) return { row };
  return {
    row,
    note: `The Scan moves more than its states once each way: ${most} copies in a run of ${TOGETHER} steps with ${states} states`,
  };
}

/** Nodes that ONNX Runtime puts in to copy, as its profile counts their runs. */
export function transfersIn(events: readonly unknown[]) {
  const counts = {
    'copies to the GPU': 0,
    'copies to the CPU': 0,
    'ms in copies': 0,
    'ms of the Scan': 0,
    'Scan is on': '',
  };
  for (const event of events) {
    if (!isKernel(event)) continue;
    const { op_name: op = '', provider = '' } = event.args;
    if (op === 'MemcpyFromHost') counts['copies to the GPU'] += 1;
    if (op === 'MemcpyToHost') counts['copies to the CPU'] += 1;
    if (op.startsWith('Memcpy')) counts['ms in copies'] += event.dur / 1000;
    if (op === 'Scan') {
      counts['ms of the Scan'] += event.dur / 1000;
      counts['Scan is on'] = provider;
    }
  }
  const rounded = (value: number): number => Number(value.toPrecision(3));
  return {
    ...counts,
    'ms in copies': rounded(counts['ms in copies']),
    'ms of the Scan': rounded(counts['ms of the Scan']),
  };
}

interface Kernel {
  readonly dur: number;
  readonly args: { readonly op_name?: string; readonly provider?: string };
}

function isKernel(event: unknown): event is Kernel {
  if (typeof event !== 'object' || event === null || !('cat' in event) || event.cat !== 'Node') return false;
  return 'name' in event && String(event.name).endsWith('_kernel_time') && 'args' in event && 'dur' in event;
}
