import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, type TrainGraphOptions, trainGraph, writeNpz } from '../../src/index.ts';
import { python, pythonHas } from '../onnx/python.ts';
import type { Tensors } from '../support/grafted.ts';
import { arraysOf, compareResults, findNetworks, type Network } from '../support/networks.ts';
import { findTrajectories, type Trajectory, worstOfKinds } from '../support/trajectories.ts';
import { zooFolder } from './zoo.ts';

/**
 * The same graphs in double precision, by onnx.reference: no Relu stands on its kink any more, and what float32 hides shows. What is
 * left is mostly float32 numbers in the files: gradients of large networks, momentum 0.1.
 */
const BOUND = 1e-6;
const MILESTONES = [1, 10];

const scratch = mkdtempSync(join(tmpdir(), 'float64-'));
afterAll(() => rmSync(scratch, { recursive: true }));
beforeAll(() => {
  if (!pythonHas('onnx, torch')) throw new Error('Let LOSSGRAFT_PYTHON name a Python with onnx and torch');
}, 60_000);

async function inFloat64(
  path: string,
  options: TrainGraphOptions,
  file: string,
  given: Tensors,
  milestones: readonly number[] = [],
): Promise<Tensors> {
  const model = await open(path);
  const graph = await trainGraph(model, { ...options, trainable: 'all' });
  const [onnx, feeds, results] = ['graph.onnx', 'feeds.npz', 'results.npz'].map((name) => join(scratch, name));
  writeFileSync(onnx as string, graph.bytes().get(file) ?? new Uint8Array());
  await writeNpz(feeds as string, { ...Object.fromEntries(graph.initialState()), ...given });
  model.close();
  python('../zoo/float64.py', '', [onnx, feeds, results, ...milestones].map(String));
  return arraysOf(results as string);
}

const rows: string[] = [];
afterAll(() => console.log(['in float64: network, tensors, the worst and its error', ...rows].join('\n')));

describe('gradients of all parameters, in float64', () => {
  const networks = findNetworks(zooFolder(), 'gradients');

  test.each(networks.map((network) => [network.name, network] as const))('%s', async (name, network: Network) => {
    const reference = await arraysOf(network.reference);
    const given = Object.entries(reference).filter(([key]) => network.inputs.includes(key) || key === 'labels');
    const batchNorm = network.mode === 'train' ? 'train' : 'frozen';
    const options = {
      ...network.augment,
      form: 'split',
      batchNorm,
      ...(batchNorm === 'train' ? { batchNormPerWorker: true } : {}),
    } as const;
    const results = await inFloat64(network.model, options, 'gradients.onnx', Object.fromEntries(given));
    const compared = compareResults(network, results, reference);
    const worst = compared.reduce((a, b) => (b.error > a.error ? b : a));
    rows.push(
      `${name.padEnd(46)} ${String(compared.length).padStart(4)}  ${worst.tensor} ${worst.error.toExponential(1)}`,
    );
    expect(compared.length).toBeGreaterThan(10);
    expect(compared.filter(({ error }) => !(error <= BOUND))).toEqual([]);
  });
});

describe('training steps of ResNet-32, in float64', () => {
  const folder = join(zooFolder(), 'trajectories');

  test.each(findTrajectories(folder).map((found) => [found.name, found] as const))(
    '%s',
    async (name, { options, learningRate }: Trajectory) => {
      const rate = { dtype: 'float64', dims: [], data: Float64Array.of(learningRate) } as const;
      const given = { ...(await arraysOf(join(folder, 'batches.npz'))), learning_rate: rate };
      const step = { ...options, form: 'step', batchNorm: 'train' } as const;
      const reached = await inFloat64(join(folder, 'model.onnx'), step, 'step.onnx', given, MILESTONES);
      const worst = worstOfKinds(reached, await arraysOf(join(folder, `${name}.npz`)), MILESTONES);
      for (const [kind, error] of worst) rows.push(`${name.padEnd(46)} ${kind} ${error.toExponential(1)}`);
      expect(worst.size).toBeGreaterThan(3);
      for (const [kind, error] of worst) expect(error, kind).toBeLessThanOrEqual(BOUND);
    },
  );
});
