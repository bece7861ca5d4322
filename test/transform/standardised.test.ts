import { expect, it } from 'vitest';
import { trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { runBytes } from '../support/grafted.ts';
import { trainHost } from '../support/trainHosts.ts';

/** F.batch_norm(weight, None, None, training=True), which BiT and NFNet standardise their weights with, as dynamo=False writes it. */
const host = () =>
  trainHost({
    lines: [
      [
        'BatchNormalization(k, scale, bias, mean, variance) -> s, m, v',
        { name: 'training_mode', type: 2, i: 1 },
        { name: 'epsilon', type: 1, f: 1e-8 },
      ],
      ['Reshape(s, square) -> w'],
      ['MatMul(x, w) -> a'],
      ['Tanh(a) -> h'],
      ['MatMul(h, w2) -> logits'],
    ],
    weights: { k: [1, 4, 4], scale: [4], bias: [4], mean: [4], variance: [4], w2: [4, 3] },
    integers: { square: [4, 4] },
  });

const x: Tensor = { dtype: 'float32', dims: [2, 4], data: Float32Array.of(1, -2, 0.5, 3, -1, 1, 2, -0.5) };
const labels: Tensor = { dtype: 'int64', dims: [2], data: BigInt64Array.of(1n, 2n) };

it.each(['frozen', 'train'] as const)(
  'weights are standardised with BatchNorm %s, and change nothing by their scale',
  async (batchNorm) => {
    const model = await host();
    const own = batchNorm === 'train' ? { batchNormPerWorker: true } : {};
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'k,w2', form: 'split', batchNorm, ...own });
    expect(graph.report.notes).not.toContain('running statistics');
    const bytes = graph.bytes().get('gradients.onnx') ?? new Uint8Array();
    const [k, w2] = ['k', 'w2'].map((name) => graph.initialState().get(name)) as [Tensor, Tensor];
    const run = await runBytes(bytes, { x, labels, k, w2 });
    const before = await runBytes(model.path ?? '', { x });
    const scaled = { ...k, data: Float32Array.from(toNumbers(k), (value) => 3 * value + 1) };
    const again = await runBytes(bytes, { x, labels, k: scaled, w2 });
    const [loss, same] = [run, again].map((results) => toNumbers(results.loss as Tensor)[0] ?? Number.NaN);
    expect(same).toBeCloseTo(loss ?? 0, 5);
    expect(loss).toBeCloseTo(crossEntropy(toNumbers(before.logits as Tensor), [1, 2]), 5);
    const gradient = toNumbers(run['k.grad'] as Tensor);
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(1e-3);
    for (let channel = 0; channel < 16; channel += 4) {
      const own = gradient.slice(channel, channel + 4);
      const weights = toNumbers(k).slice(channel, channel + 4);
      expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 5);
      expect(own.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0)).toBeCloseTo(0, 5);
    }
  },
);

function crossEntropy(logits: readonly number[], of: readonly number[]): number {
  const losses = of.map((label, n) => {
    const row = logits.slice(n * 3, n * 3 + 3);
    return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - (row[label] ?? 0);
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
