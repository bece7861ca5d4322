import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type AugmentOptions, open, openData, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';

/** A whole network and PyTorch's gradients of it: see fixtures/README.md. */
export interface Network {
  readonly name: string;
  readonly folder: string;
  /** The .npz with the expected gradients. */
  readonly reference: string;
  readonly model: string;
  readonly mode: string;
  readonly augment: AugmentOptions;
  readonly inputs: readonly string[];
  readonly rtol: number;
  /** Tensors whose gradient is zero but for rounding: they are held against the largest gradient of the network. */
  readonly vanishing: readonly string[];
  readonly largestGradient: number;
  /** The largest relative error of PyTorch's own float32. */
  readonly float32Error: Readonly<Record<string, number>>;
}

export const NETWORKS: string = resolve(import.meta.dirname, '../../fixtures/networks');

/** All networks under a folder with a reference.json, or another stem. */
export function findNetworks(root: string = NETWORKS, stem = 'reference'): Network[] {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return paths
    .filter((path) => basename(path) === `${stem}.json`)
    .sort()
    .map((path) => {
      const folder = dirname(join(root, path));
      const json = JSON.parse(readFileSync(join(root, path), 'utf8'));
      const { mode, augment, inputs, float32Error, tolerance, model, vanishing, largestGradient } = json;
      const name = relative(root, folder);
      return {
        name,
        folder,
        reference: join(folder, `${stem}.npz`),
        model: resolve(folder, model),
        mode,
        augment,
        inputs,
        vanishing,
        largestGradient,
        rtol: tolerance.rtol,
        float32Error,
      };
    });
}

/** All arrays of an .npz. */
export async function arraysOf(path: string): Promise<Record<string, Tensor>> {
  const data = await openData(path);
  const tensors: Record<string, Tensor> = {};
  for (const [name, column] of data.columns) tensors[name] = await column.read(0, column.dims[0] ?? 1);
  data.close();
  return tensors;
}

export interface Comparison {
  readonly tensor: string;
  /** The largest difference, relative to the largest expected magnitude. */
  readonly error: number;
  /** PyTorch float32's own. */
  readonly float32Error: number;
}

/** Runs the split form's gradients of all parameters, and compares what the reference holds. */
export async function compareGradients(
  network: Network,
  options: Partial<TrainGraphOptions> = {},
): Promise<Comparison[]> {
  const reference = await arraysOf(network.reference);
  return compareResults(network, await runGradients(network, reference, options), reference);
}

export function compareResults(
  network: Network,
  results: Readonly<Record<string, Tensor>>,
  reference: Readonly<Record<string, Tensor>>,
): Comparison[] {
  const compared = Object.keys(reference).filter((name) => name === 'loss' || /\.(grad|next)$/.test(name));
  return compared.map((name) => ({
    tensor: name,
    error: relativeError(results[name], reference[name], scaleOf(network, name)),
    float32Error: network.float32Error[name] ?? Number.NaN,
  }));
}

export async function runGradients(
  network: Network,
  reference: Readonly<Record<string, Tensor>>,
  options: Partial<TrainGraphOptions>,
): Promise<Record<string, Tensor>> {
  const model = await open(network.model);
  try {
    const batchNorm = network.mode === 'train' ? 'train' : 'frozen';
    const perWorker = network.mode === 'train' ? { batchNormPerWorker: true } : {};
    const graph = await trainGraph(model, {
      ...network.augment,
      trainable: 'all',
      form: 'split',
      batchNorm,
      ...perWorker,
      ...options,
    });
    const bytes = graph.bytes().get('gradients.onnx');
    if (!bytes) throw new Error('no gradients.onnx');
    const session = await openSession(bytes, { name: network.name });
    const pool = { ...Object.fromEntries(graph.initialState()), ...reference };
    const feeds = Object.fromEntries(session.inputs.map(({ name }) => [name, pool[name] as Tensor]));
    const results = await session.run(feeds);
    await session.close();
    return results;
  } finally {
    model.close();
  }
}

function scaleOf({ vanishing, largestGradient }: Network, name: string): number {
  return vanishing.includes(name.replace(/\.grad$/, '')) ? largestGradient : Number.MIN_VALUE;
}

/** The largest difference over the largest expected magnitude, or over `floor` if that is larger. */
export function relativeError(
  actual: Tensor | undefined,
  expected: Tensor | undefined,
  floor: number = Number.MIN_VALUE,
): number {
  if (!actual || !expected || actual.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  const numbers = toNumbers(expected);
  const found = toNumbers(actual);
  let scale = floor;
  let worst = 0;
  for (const [i, value] of numbers.entries()) {
    const difference = Math.abs(value - (found[i] ?? Number.NaN));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(value));
    worst = Math.max(worst, difference);
  }
  return worst / scale;
}
