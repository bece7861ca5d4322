import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open, trainGraph } from '../../src/index.ts';
import { readProfile } from '../../src/runtime/device/profile.ts';
import { openSession } from '../../src/runtime/session.ts';
import { checkPlacement } from '../../src/runtime/webgpu/proof.ts';
import { readBack } from '../../src/runtime/webgpu/readBack.ts';
import type { Tensor } from '../../src/tensor.ts';
import { type State, stepOnDevice } from '../../src/thread/deviceSteps.ts';
import { stackSteps } from '../../src/thread/steps.ts';
import { arraysOf, findNetworks, type Network } from '../../test/support/networks.ts';
import type { Finding } from './finding.ts';

const STEPS = 10;
/** Of a loss. */
const TOLERANCE = 1e-4;

/** Convolutions, depthwise ones, BatchNorm that is trained, attention, a recurrent network. */
const CHOSEN = [
  'digits/torchscript-opset17-eval',
  'mobile/torchscript-opset17-train',
  'resnet/torchscript-opset17-train',
  'transformer/torchscript-opset17-eval',
  'lstm/torchscript-opset17-eval',
];

/** Ten steps of whole networks: the losses are the CPU's, every node is where it should be, the state never leaves the GPU. */
export async function* checkNetworks(only: RegExp): AsyncGenerator<Finding> {
  for (const network of findNetworks().filter(({ name }) => CHOSEN.includes(name))) {
    for (const optimizer of ['sgd', 'adamw'] as const) {
      const name = `${STEPS} steps of ${network.name} by ${optimizer}`;
      if (!only.test(name)) continue;
      yield await check(name, network, optimizer).catch((error: unknown) => ({ name, problem: `throws: ${error}` }));
    }
  }
}

async function check(name: string, network: Network, optimizer: 'sgd' | 'adamw'): Promise<Finding> {
  const data = await arraysOf(network.reference);
  const expected = await train(network, optimizer, 'cpu', data);
  const found = await train(network, optimizer, 'webgpu', data);
  const apart = expected.map((loss, i) => Math.abs((found[i] ?? Number.NaN) - loss) / Math.max(1e-3, Math.abs(loss)));
  const worst = apart.some(Number.isNaN) ? Number.NaN : Math.max(...apart);
  return worst <= TOLERANCE
    ? { name }
    : { name, problem: `losses ${found.join(', ')} for the CPU's ${expected.join(', ')}` };
}

async function train(
  network: Network,
  optimizer: 'sgd' | 'adamw',
  provider: 'cpu' | 'webgpu',
  data: Readonly<Record<string, Tensor>>,
): Promise<readonly number[]> {
  using model = await open(network.model);
  const graph = await trainGraph(model, {
    ...network.augment,
    trainable: 'all',
    form: 'step',
    batchNorm: network.mode === 'train' ? 'train' : 'frozen',
    optimizer,
    target: provider,
  });
  const [bytes = new Uint8Array()] = [...graph.bytes().values()];
  const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
  const states = graph.report.states.map(({ name }) => `${name}.next`);
  const onDevice = provider === 'webgpu' ? { onDevice: states, profile: join(folder, 'steps') } : {};
  const session = await openSession(bytes, { provider, name: network.name, ...onDevice });
  try {
    const start: State = Object.fromEntries(graph.initialState());
    const own = session.inputs.filter(({ name }) => !(name in start));
    const feeds = Object.fromEntries(own.map(({ name }) => [name, repeated(data[name] ?? rate())]));
    const { losses, state } = await stepOnDevice(
      session,
      start,
      stackSteps(feeds, STEPS),
      graph.report.names.loss ?? 'loss',
    );
    if (provider === 'webgpu') {
      checkPlacement(network.name, await readProfile(await session.endProfiling()));
      await readBack(state ?? {});
    }
    return losses;
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function rate(): Tensor {
  return { dtype: 'float32', dims: [1], data: Float32Array.of(0.01) };
}

/** The same batch for every step. */
function repeated({ dtype, dims: [rows = 1, ...rest], data }: Tensor): Tensor {
  const all = Array.from({ length: STEPS }, () => Array.from(data as ArrayLike<number | bigint>)).flat();
  const joined = data instanceof BigInt64Array ? BigInt64Array.from(all, BigInt) : Float32Array.from(all, Number);
  return { dtype, dims: [STEPS * rows, ...rest], data: joined };
}
