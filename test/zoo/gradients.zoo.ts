import { afterAll, describe, expect, test } from 'vitest';
import { open, trainGraph } from '../../src/index.ts';
import { fromBytes, scan } from '../../src/onnx/index.ts';
import { type Comparison, compareGradients, findNetworks, type Network } from '../support/networks.ts';
import { expectChecked, zooFolder } from './zoo.ts';

/** float32 sums in another order than PyTorch's: a few times PyTorch's own error counts as equal too. */
const OWN_ERRORS = 4;

const rows: string[] = [];
afterAll(() => {
  const title =
    'network, tensors, then the tensor nearest to its bound (or above): error, PyTorch float32’s own, bound';
  console.log([title, ...rows].join('\n'));
});

const bound = (network: Network, { float32Error }: Comparison): number =>
  Math.max(network.rtol, OWN_ERRORS * (Number.isNaN(float32Error) ? 0 : float32Error));

function rowOf(network: Network, compared: readonly Comparison[]): string {
  const ratio = (comparison: Comparison): number => comparison.error / bound(network, comparison);
  const worst = compared.reduce((a, b) => (ratio(b) > ratio(a) ? b : a));
  const numbers = [worst.error, worst.float32Error, bound(network, worst)].map((x) => x.toExponential(1));
  const wrong = compared.filter((comparison) => !(ratio(comparison) <= 1)).length;
  return `${network.name.padEnd(46)} ${String(compared.length).padStart(4)}  ${numbers.join('  ')}  ${worst.tensor}${wrong > 0 ? `  (${wrong} WRONG)` : ''}`;
}

describe('gradients of all parameters of the IB loss are PyTorch’s', () => {
  const networks = findNetworks(zooFolder(), 'gradients');

  test.each(networks.map((network) => [network.name, network] as const))('%s', async (_, network) => {
    const compared = await compareGradients(network).catch((error: Error) => {
      rows.push(`${network.name.padEnd(46)} ${error.message}`);
      throw error;
    });
    rows.push(rowOf(network, compared));
    expect(compared.length).toBeGreaterThan(10);
    const wrong = compared.filter((comparison) => !(comparison.error <= bound(network, comparison)));
    expect(wrong).toEqual([]);
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
