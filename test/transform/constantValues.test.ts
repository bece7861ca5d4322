import { expect, it } from 'vitest';
import { trainGraph } from '../../src/index.ts';
import { mlp, trainHost } from '../support/trainHosts.ts';

/** PyTorch's exporter splits a decoder's in_proj_weight so; the Reshape to a computed shape has types inferred more than once. */
it('a Split of a weight keeps both halves, though the first is what types are told by', async () => {
  const lines = [
    ['Split(both, sizes) -> first, second', { name: 'axis', type: 2, i: 0 }],
    ['MatMul(h, first) -> p'],
    ['Shape(p) -> s'],
    ['Reshape(p, s) -> r'],
    ['MatMul(r, second) -> m'],
  ] as const;
  const model = await trainHost(mlp([...lines], { weights: { both: [8, 4] }, integers: { sizes: [4, 4] } }));
  const { report } = await trainGraph(model, { loss: 'ce', trainable: 'all' });
  expect(report.trainable).toEqual(['w1', 'w2', 'both']);
});
