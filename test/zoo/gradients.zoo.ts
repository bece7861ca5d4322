import { afterAll, describe, expect, test } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import { open, trainGraph } from '../../src/index.ts';
import { scan } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import type { Tensors } from '../support/grafted.ts';
import {
  arraysOf,
  type Comparison,
  compareResults,
  findNetworks,
  type Network,
  runGradients,
} from '../support/networks.ts';
import { expectChecked, zooFolder } from './zoo.ts';

/** float32 sums in another order than PyTorch's: a few times PyTorch's own error counts as equal too. */
const OWN_ERRORS = 4;

/**
 * Among a million inputs of Relu some are 0 but for rounding, and one on the other side changes the gradients before it by a percent.
 * Then other roundings of the same numbers are tried, inputs times 1 ± k·2⁻²²: a wrong rule is wrong with all of them. A tensor
 * counts with its best.
 */
const NUDGES = [0, 1, -1, 2, -2, 3, -3, 4, -4].map((k) => k * 2 ** -22);

interface Judged {
  readonly compared: readonly Comparison[];
  readonly wrong: readonly Comparison[];
  /** How many roundings it took. */
  readonly attempts: number;
}

async function judge(network: Network): Promise<Judged> {
  const reference = await arraysOf(network.reference);
  const isNudged = network.inputs.some((name) => reference[name]?.dtype === 'float32');
  let compared: readonly Comparison[] = [];
  let wrong: readonly Comparison[] = [];
  let attempts = 0;
  for (const nudge of isNudged ? NUDGES : [0]) {
    const results = await runGradients(network, { ...reference, ...nudgedInputs(network, reference, nudge) }, {});
    const found = compareResults(network, results, reference);
    compared = found.map((next, i) => better(network, compared[i] ?? next, next));
    wrong = compared.filter((comparison) => !(ratioOf(network, comparison) <= 1));
    attempts++;
    if (wrong.length === 0) break;
  }
  return { compared, wrong, attempts };
}

function nudgedInputs({ inputs }: Network, reference: Readonly<Record<string, Tensor>>, nudge: number): Tensors {
  return Object.fromEntries(
    inputs.flatMap((name) => {
      const tensor = reference[name];
      if (!(tensor?.data instanceof Float32Array)) return [];
      return [[name, { ...tensor, data: tensor.data.map((x) => x * (1 + nudge)) }]];
    }),
  );
}

function better(network: Network, a: Comparison, b: Comparison): Comparison {
  return ratioOf(network, b) < ratioOf(network, a) ? b : a;
}

function boundOf({ rtol }: Network, { float32Error }: Comparison): number {
  return Math.max(rtol, OWN_ERRORS * (Number.isNaN(float32Error) ? 0 : float32Error));
}

function ratioOf(network: Network, comparison: Comparison): number {
  return comparison.error / boundOf(network, comparison);
}

const rows: string[] = [];
afterAll(() => {
  const title =
    'network, tensors, then the tensor nearest to its bound (or above): error, PyTorch float32’s own, bound';
  console.log([title, ...rows].join('\n'));
});

function rowOf(network: Network, { compared, wrong, attempts }: Judged): string {
  const worst = compared.reduce((a, b) => (ratioOf(network, b) > ratioOf(network, a) ? b : a));
  const numbers = [worst.error, worst.float32Error, boundOf(network, worst)].map((x) => x.toExponential(1));
  const count = String(compared.length).padStart(4);
  const roundings = attempts === 1 ? '' : `  (best of ${attempts} roundings)`;
  const verdict = wrong.length > 0 ? `  (${wrong.length} WRONG)` : '';
  return `${network.name.padEnd(46)} ${count}  ${numbers.join('  ')}  ${worst.tensor}${roundings}${verdict}`;
}

describe('gradients of all parameters of the IB loss are PyTorch’s', () => {
  const networks = findNetworks(zooFolder(), 'gradients');

  test.each(networks.map((network) => [network.name, network] as const))('%s', async (_, network) => {
    const judged = await judge(network).catch((error: Error) => {
      rows.push(`${network.name.padEnd(46)} ${error.message}`);
      throw error;
    });
    rows.push(rowOf(network, judged));
    expect(judged.compared.length).toBeGreaterThan(10);
    expect(judged.wrong).toEqual([]);
  });

  test.for(networks.map((network) => [network.name, network] as const))(
    '%s: only ai.onnx operators, and the graph of gradients passes onnx.checker',
    async ([, { model: path, augment, mode }], context) => {
      const model = await open(path);
      const batchNorm = mode === 'train' ? 'train' : 'frozen';
      const graphs = await trainGraph(model, {
        ...augment,
        trainable: 'all',
        form: 'split',
        batchNorm,
        ...(batchNorm === 'train' ? { batchNormPerWorker: true } : {}),
      });
      const bytes = graphs.bytes().get('gradients.onnx') ?? new Uint8Array();
      model.close();
      const { graph, functions } = scan(fromBytes(bytes, 'gradients.onnx'));
      expect(new Set([...graph.nodes, ...functions].map(({ domain }) => domain))).toEqual(new Set(['']));
      expectChecked(bytes, context);
    },
  );
});
