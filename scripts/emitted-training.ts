import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AugmentOptions, augment, type Model, open, type TrainGraphOptions, trainGraph } from '../src/index.ts';
import { opened as openedModel } from '../src/model.ts';
import { cudaCoverage } from '../src/runtime/cuda/coverage.ts';
import { findNetworks } from '../test/support/networks.ts';
import { findTrajectories } from '../test/support/trajectories.ts';
import type { EmittedGraph } from './emitted-graph.ts';

/** Gradients and training steps of every network of the fixtures, in every form, mode and optimizer. */
export async function* trainingGraphs(root: string): AsyncGenerator<EmittedGraph> {
  for (const { name, model, mode, augment: graft } of findNetworks()) {
    const label = `networks/${name}`;
    yield* opened(model, async function* (host) {
      yield* withGradients(label, host, graft, mode);
      const isTrained = mode === 'train' || /train|unfolded/.test(name);
      const all = { ...graft, trainable: 'all' } as TrainGraphOptions;
      yield* forms(label, host, all);
      yield* mixed(label, host, all);
      if (isTrained) yield* forms(label, host, { ...all, batchNorm: 'train' });
    });
  }
  yield* optimizers();
  yield* dropouts(root);
}

/** Every plan of the trajectories: all optimizers with clipping, accumulation, dampening and the rest. */
async function* optimizers(): AsyncGenerator<EmittedGraph> {
  for (const { name, folder, options } of findTrajectories()) {
    yield* opened(join(folder, 'model.onnx'), (host) => forms(`trajectories/${name}`, host, options));
  }
}

/** Dropout that draws masks: the hosts with a Dropout node in them. */
async function* dropouts(root: string): AsyncGenerator<EmittedGraph> {
  const folder = join(root, 'fixtures/hosts');
  const files = (await readdir(folder)).filter((file) => /^dropout-opset/.test(file)).sort();
  for (const file of files) {
    const options = { loss: 'ib', trainable: 'all', dropout: 'train', seed: 3 } as const;
    yield* opened(join(folder, file), (host) => forms(`hosts/${file}`, host, options));
  }
}

async function* opened(
  path: string,
  graphs: (host: Model) => AsyncGenerator<EmittedGraph>,
): AsyncGenerator<EmittedGraph> {
  const host = await open(path);
  try {
    yield* graphs(host);
  } finally {
    host.close();
  }
}

/** augment leaves the host's own nodes alone, a BatchNormalization in training mode too, which CUDA lacks at opset 14 and later. */
async function* withGradients(
  label: string,
  host: Model,
  graft: AugmentOptions,
  mode: string,
): AsyncGenerator<EmittedGraph> {
  const augmented = await augment(host, { ...graft, grad: ['logits', 'features', 'parameters'] });
  const lacking = [...lackingOf(host), ...(mode === 'train' ? ['BatchNormalization'] : [])];
  yield { name: `${label} augment --grad`, model: augmented.bytes(), lacking };
}

/** Operators of the host that the CUDA provider leaves alone, or whose kernel could not be made without cuDNN. */
function lackingOf(host: Model): string[] {
  const { opsetImports, graph } = openedModel(host).proto;
  const opset = opsetImports.get('') ?? 0;
  const refused = new Set(['cpu', 'throws', 'constructor-error']);
  const isLacking = (op: string): boolean =>
    refused.has(cudaCoverage(op, opset).status) || refused.has(cudaCoverage(op, opset, 'float32', 'int64').status);
  return [...new Set(graph.nodes.map(({ opType }) => opType))].filter(isLacking);
}

/** Half precision, where the network has products that CUDA computes in it. */
async function* mixed(label: string, host: Model, options: TrainGraphOptions): AsyncGenerator<EmittedGraph> {
  for (const precision of ['mixed', 'mixed-bfloat16'] as const) {
    yield* forms(`${label} ${precision}`, host, { ...options, precision }, ['step']);
  }
}

const FORMS = ['step', 'loop', 'split'] as const;

async function* forms(
  label: string,
  host: Model,
  options: TrainGraphOptions,
  wanted: readonly (typeof FORMS)[number][] = FORMS,
): AsyncGenerator<EmittedGraph> {
  const lacking = lackingOf(host);
  for (const form of wanted) {
    const ownBatches = form === 'split' && options.batchNorm === 'train' ? { batchNormPerWorker: true } : {};
    const graph = await trainGraph(host, { ...options, ...ownBatches, form });
    const batchNorm = options.batchNorm === undefined ? '' : ` batch-norm=${options.batchNorm}`;
    for (const [file, model] of graph.bytes()) yield { name: `${label} ${form}${batchNorm} ${file}`, model, lacking };
  }
}
