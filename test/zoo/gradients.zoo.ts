import { afterAll, describe, expect, test } from 'vitest';
import { open, trainGraph } from '../../src/index.ts';
import { fromBytes, scan } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
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
 * Among a million inputs of Relu some are 0 but for rounding, and one on the other side changes gradients by a percent. Then another
 * rounding of the same numbers is tried: inputs times 1 ± 2⁻²² and 1 ± 2⁻²¹. A wrong rule is wrong with all of them.
 */
const NUDGES = [0, 2 ** -22, -(2 ** -22), 2 ** -21, -(2 ** -21)];

interface Attempt {
  readonly nudge: number;
  readonly compared: readonly Comparison[];
  readonly wrong: readonly Comparison[];
}

async function attempt(network: Network, reference: Readonly<Record<string, Tensor>>, nudge: number): Promise<Attempt> {
  const nudged = network.inputs.flatMap((name): [string, Tensor][] => {
    const tensor = reference[name];
    if (!(tensor?.data instanceof Float32Array)) return [];
    return [[name, { ...tensor, data: tensor.data.map((x) => x * (1 + nudge)) }]];
  });
  if (nudge !== 0 && nudged.length === 0) throw new Error('no input to nudge');
  const results = await runGradients(network, { ...reference, ...Object.fromEntries(nudged) }, {});
  const compared = compareResults(network, results, reference);
  const wrong = compared.filter((comparison) => !(ratioOf(network, comparison) <= 1));
  return { nudge, compared, wrong };
}

/** The first attempt in which nothing is wrong, or the best. */
async function bestAttempt(network: Network): Promise<Attempt> {
  const reference = await arraysOf(network.reference);
  let best: Attempt | undefined;
  for (const nudge of NUDGES) {
    const found = await attempt(network, reference, nudge);
    if (best === undefined || found.wrong.length < best.wrong.length) best = found;
    if (found.wrong.length === 0 || !network.inputs.some((name) => reference[name]?.dtype === 'float32')) break;
  }
  if (best === undefined) throw new Error('no attempt');
  return best;
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

function rowOf(network: Network, { nudge, compared, wrong }: Attempt): string {
  const worst = compared.reduce((a, b) => (ratioOf(network, b) > ratioOf(network, a) ? b : a));
  const numbers = [worst.error, worst.float32Error, boundOf(network, worst)].map((x) => x.toExponential(1));
  const count = String(compared.length).padStart(4);
  const nudged = nudge === 0 ? '' : `  (inputs × (1 ${nudge > 0 ? '+' : '−'} 2^${Math.log2(Math.abs(nudge))}))`;
  const verdict = wrong.length > 0 ? `  (${wrong.length} WRONG)` : '';
  return `${network.name.padEnd(46)} ${count}  ${numbers.join('  ')}  ${worst.tensor}${nudged}${verdict}`;
}

describe('gradients of all parameters of the IB loss are PyTorch’s', () => {
  const networks = findNetworks(zooFolder(), 'gradients');

  test.each(networks.map((network) => [network.name, network] as const))('%s', async (_, network) => {
    const best = await bestAttempt(network).catch((error: Error) => {
      rows.push(`${network.name.padEnd(46)} ${error.message}`);
      throw error;
    });
    rows.push(rowOf(network, best));
    expect(best.compared.length).toBeGreaterThan(10);
    expect(best.wrong).toEqual([]);
  });

  test.for(networks.map((network) => [network.name, network] as const))(
    '%s: only ai.onnx operators, and the graph of gradients passes onnx.checker',
    async ([, { model: path, augment, mode }], context) => {
      const model = await open(path);
      const batchNorm = mode === 'train' ? 'train' : 'frozen';
      const graphs = await trainGraph(model, { ...augment, trainable: 'all', form: 'split', batchNorm });
      const bytes = graphs.bytes().get('gradients.onnx') ?? new Uint8Array();
      model.close();
      const { graph, functions } = scan(fromBytes(bytes, 'gradients.onnx'));
      expect(new Set([...graph.nodes, ...functions].map(({ domain }) => domain))).toEqual(new Set(['']));
      expectChecked(bytes, context);
    },
  );
});
