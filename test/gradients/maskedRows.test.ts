import { expect, it } from 'vitest';
import { trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { runBytes } from '../support/grafted.ts';
import { trainHost } from '../support/trainHosts.ts';

const rows = (data: readonly number[]): Tensor => ({
  dtype: 'float32',
  dims: [data.length / 4, 4],
  data: Float32Array.from(data),
});
const labels = (...of: bigint[]): Tensor => ({ dtype: 'int64', dims: [of.length], data: BigInt64Array.from(of) });

/** scaled_dot_product_attention as PyTorch exports it: the mask is 0 and −∞, and Where(IsNaN(p), 0, p) follows the softmax. */
it('a row that is masked whole gives no gradient, and no NaN', async () => {
  const model = await trainHost({
    lines: [
      ['MatMul(x, w1) -> a'],
      ['Log(seen) -> mask'],
      ['Add(a, mask) -> s'],
      ['Softmax(s) -> p'],
      ['IsNaN(p) -> n'],
      ['Sub(seen, seen) -> zeros'],
      ['Where(n, zeros, p) -> q'],
      ['MatMul(q, w2) -> logits'],
    ],
    weights: { w1: [4, 4], w2: [4, 3] },
    inputs: { seen: ['N', 4] },
  });
  const graph = await trainGraph(model, { loss: 'ce', trainable: 'all', form: 'split' });
  const state = Object.fromEntries([...graph.initialState()].filter(([name]) => !name.endsWith('.momentum')));
  const bytes = graph.bytes().get('gradients.onnx') ?? new Uint8Array();
  const gradient = async (feeds: Record<string, Tensor>, name: string) =>
    toNumbers((await runBytes(bytes, { ...state, ...feeds }))[`${name}.grad`] as Tensor);
  const x = [0.5, -1, 2, 0.25];
  const one = { x: rows(x), seen: rows([1, 1, 0, 1]), labels: labels(1n) };
  const two = { x: rows([...x, 1, 2, 3, 4]), seen: rows([1, 1, 0, 1, 0, 0, 0, 0]), labels: labels(1n, 2n) };
  for (const name of ['w1', 'w2']) {
    const alone = await gradient(one, name);
    const beside = await gradient(two, name);
    expect(Math.max(...alone.map(Math.abs))).toBeGreaterThan(0.01);
    for (const [i, value] of alone.entries()) expect(2 * (beside[i] ?? Number.NaN)).toBeCloseTo(value, 6);
  }
});
