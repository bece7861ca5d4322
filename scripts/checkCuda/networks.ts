import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { random } from '../../src/data/random.ts';
import { open, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { checkNodes } from '../../src/runtime/cuda/proof.ts';
import { readProfile } from '../../src/runtime/device/profile.ts';
import { openSession, type Port, type SessionOptions } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { Collector, type Item, shareOf } from './collector.ts';
import { networkFile, type PartContext } from './context.ts';

/** A network of which gradients and steps are computed. */
export interface Subject {
  readonly name: string;
  /** Of the network that PyTorch writes on the machine. */
  readonly file: string;
  /** The small one of the fixtures, where there is no PyTorch. */
  readonly fixture: string;
  readonly batchNorm: 'train' | 'frozen';
  /** Of the fixture; PyTorch's have ten. */
  readonly classes: number;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: 'ResNet-32, BatchNorm trained',
    file: 'resnet32',
    fixture: 'resnet/torchscript-opset17-train',
    batchNorm: 'train',
    classes: 5,
  },
  {
    name: 'MobileNetV2, BatchNorm trained',
    file: 'mobilenetv2',
    fixture: 'mobile/torchscript-opset17-train',
    batchNorm: 'train',
    classes: 5,
  },
  { name: 'BERT', file: 'bert', fixture: 'transformer/torchscript-opset17-eval', batchNorm: 'frozen', classes: 5 },
  { name: 'LSTM', file: 'lstm', fixture: 'lstm/torchscript-opset17-eval', batchNorm: 'frozen', classes: 4 },
];

/** What there is of a subject: a path and its classes, and what to call it. */
export interface Chosen {
  readonly name: string;
  readonly path: string;
  readonly classes: number;
  readonly batchNorm: 'train' | 'frozen';
}

export function chosenNetworks(context: PartContext): Chosen[] {
  return SUBJECTS.map(({ name, file, fixture, classes, batchNorm }) => {
    const path = networkFile(context, file);
    if (existsSync(path)) return { name, path, classes: 10, batchNorm };
    const small = join(context.root, 'fixtures/networks', fixture, 'model.onnx');
    return { name: `${name} (the small one of the fixtures)`, path: small, classes, batchNorm };
  });
}

const BATCH = 8;
/** Of a tensor's largest gradient, or a hundredth of the network's largest: float32 through dozens of layers. */
const BOUND = 1e-3;

/** All gradients of whole networks, on CUDA and on the CPU. */
export async function checkNetworks(context: PartContext): Promise<void> {
  const networks = shareOf(chosenNetworks(context), context.share);
  const collector = new Collector(context.out, networks.length, context.until);
  await collector.each(
    networks,
    ({ name }) => name,
    (network) => compareGradients(network, context),
  );
}

async function compareGradients(network: Chosen, { provider, work }: PartContext): Promise<Item> {
  using model = await open(network.path);
  const graph = await trainGraph(model, { ...lossOf(network), form: 'split', batchNormPerWorker: true });
  const bytes = graph.bytes().get('gradients.onnx') ?? new Uint8Array();
  const state = Object.fromEntries(graph.initialState());
  const cpu = await runOnce(bytes, state, network, { name: network.name });
  const profile = join(work, `profile-${process.pid}`);
  const gpu = await runOnce(bytes, state, network, {
    name: network.name,
    provider,
    ...(provider === 'cuda' ? { profile } : {}),
  });
  const nodes =
    provider === 'cuda' ? checkNodes(network.name, await readProfile(gpu.profile), gpu.shapeNodes).length : 0;
  const { tensor, error } = worstOf(gpu.results, cpu.results);
  const row = {
    network: network.name,
    gradients: graph.report.trainable.length,
    'nodes on CUDA': nodes,
    'shape nodes on the CPU': gpu.shapeNodes.length,
    'largest difference': Number(error.toPrecision(2)),
    of: tensor,
  };
  return error <= BOUND ? { row } : { row, failure: `${tensor} is ${error.toExponential(1)} off the CPU's` };
}

export function lossOf({ batchNorm }: Chosen): TrainGraphOptions {
  return { loss: 'ce', trainable: 'all', batchNorm };
}

async function runOnce(
  bytes: Uint8Array,
  state: Readonly<Record<string, Tensor>>,
  network: Chosen,
  options: SessionOptions,
) {
  const session = await openSession(bytes, options);
  try {
    const names = new Set(session.inputs.map(({ name }) => name));
    const own = Object.fromEntries(Object.entries(state).filter(([name]) => names.has(name)));
    const results = await session.run({ ...own, ...batchOf(session.inputs, own, network.classes, BATCH, 0) });
    const profile = options.profile === undefined ? '' : await session.endProfiling();
    return { results, profile, shapeNodes: session.shapeNodesOnCpu };
  } finally {
    await session.close();
  }
}

/** Random inputs and labels for what is no state: the same for the same step. */
export function batchOf(
  inputs: readonly Port[],
  state: Readonly<Record<string, unknown>>,
  classes: number,
  batch: number,
  step: number,
): Record<string, Tensor> {
  const { next, below } = random(3, step);
  const normal = (): number => (next() + next() + next() + next()) / 2 ** 31 - 4;
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, shape } of inputs) {
    if (name in state || name === 'learning_rate') continue;
    const dims = [batch, ...(shape ?? []).slice(1).map((dim) => (typeof dim === 'number' ? dim : 8))];
    const length = elementCount(dims);
    const most = name === 'labels' ? classes : 10;
    feeds[name] =
      dtype === 'int64'
        ? { dtype, dims, data: BigInt64Array.from({ length }, () => BigInt(below(most))) }
        : { dtype: 'float32', dims, data: Float32Array.from({ length }, normal) };
  }
  return feeds;
}

/** The largest difference of a tensor, relative to its largest element, or to a hundredth of the largest of all where that is more. */
export function worstOf(
  found: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
): { readonly tensor: string; readonly error: number } {
  const largest = (values: readonly number[]): number =>
    values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const numbers = Object.entries(expected).map(([name, tensor]) => [name, toNumbers(tensor)] as const);
  const floor = largest(numbers.filter(([name]) => name.endsWith('.grad')).map(([, values]) => largest(values))) / 100;
  let worst = { tensor: '', error: 0 };
  for (const [tensor, values] of numbers) {
    const other = found[tensor] ? toNumbers(found[tensor]) : [];
    const difference = values.reduce((most, value, i) => {
      const apart = Math.abs(value - (other[i] ?? Number.NaN));
      return Number.isNaN(apart) ? Number.POSITIVE_INFINITY : Math.max(most, apart);
    }, 0);
    const error = difference === 0 ? 0 : difference / Math.max(largest(values), tensor.endsWith('.grad') ? floor : 0);
    if (error > worst.error) worst = { tensor, error };
  }
  return worst;
}
