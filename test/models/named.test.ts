import { describe, expect, it } from 'vitest';
import { expectGraft } from '../support/expectGraft.ts';
import { graftHost, hostPath, refusalOf } from './hosts.ts';

describe('tensors named by the user', () => {
  it.each(['relu-after', 'tanh-after', 'batch-norm-after'])('%s: both ways out work', async (name) => {
    const before = await graftHost(hostPath(name), { loss: 'ib', logits: 'g' });
    expectGraft(before);
    expect(before.report.features?.name).toBe('h');
    const kept = await graftHost(hostPath(name), { loss: 'ib', features: 'h' });
    expectGraft(kept);
    expect(kept.report.logits.name).toBe('z');
    expect(kept.expected.loss).not.toBe(before.expected.loss);
  });

  it.each(['z', 'z2'])('two heads: --logits %s', async (logits) => {
    const graft = await graftHost(hostPath('two-heads'), {
      loss: 'ib',
      logits,
      classCounts: logits === 'z' ? [4, 3, 2, 1] : [3, 2, 1],
    });
    expectGraft(graft);
    expect(graft.report).toMatchObject({ logits: { name: logits, how: 'named by `logits`' }, features: { name: 'h' } });
  });

  it('other features, from within the network', async () => {
    const graft = await graftHost(hostPath('gemm'), { loss: 'ib', features: 'x' });
    expectGraft(graft);
    expect(graft.report.features).toEqual({ name: 'x', how: 'named by `features`' });
    expect(graft.dims.features).toEqual([3, 6]);
  });

  it.each(['n', 'n2'])('norms that the model gives itself (%s) are the norms that are computed', async (features) => {
    const path = hostPath('norms');
    const graft = await graftHost(path, { loss: 'ib', logits: 'z', features, featuresAreNorm: true });
    expectGraft(graft);
    const computed = await graftHost(path, { loss: 'ib', logits: 'z' });
    expect(graft.expected.loss).toBeCloseTo(computed.expected.loss, 4);
  });

  it.each<[string, Parameters<typeof refusalOf>[1], string, RegExp]>([
    ['unknown logits', { loss: 'ce', logits: 'zz' }, 'unknown-tensor', /found "zz"\. Did you mean "z"/],
    ['unknown features', { loss: 'ib', features: 'hh' }, 'unknown-tensor', /found "hh"\. Did you mean "h"/],
    ['logits of integers', { loss: 'ce', logits: 'index' }, 'not-logits', /tensor "index"\].*found holds int64/],
    ['norms without their name', { loss: 'ib', featuresAreNorm: true }, 'option-needs-option', /no `features`/],
    [
      'features as norms',
      { loss: 'ib', features: 'h', featuresAreNorm: true },
      'not-features',
      /\[N\] or \[N, 1\], found float32 \[N, 5\]/,
    ],
    ['an index as features', { loss: 'ib', features: 'index' }, 'not-features', /found int64 \[N\]/],
    ['features for ce', { loss: 'ce', features: 'h' }, 'unused-option', /uses no features/],
    [
      'three counts for four classes',
      { loss: 'ce', classCounts: [3, 2, 1] },
      'class-count-mismatch',
      /expected 4.*found 3/,
    ],
    [
      'five weights for four classes',
      { loss: 'ce', classWeights: [1, 2, 3, 4, 5] },
      'class-count-mismatch',
      /expected 4.*found 5/,
    ],
  ])('%s: refused', async (_what, options, code, message) => {
    const found = await refusalOf(hostPath('tail-class-index'), options);
    expect(found.message).toMatch(message);
    expect(found.code).toBe(code);
  });

  it('maps that are not pooled are no features', async () => {
    const found = await refusalOf(hostPath('conv-pool'), { loss: 'ib', features: 'a' });
    expect(found.code).toBe('not-features');
    expect(found.message).toMatch(/found float32 \[N, 5, 4, 4\].*pooled to one vector/);
  });
});

describe('names that the model has already', () => {
  it('refused with the option that renames, one after the other; then it works', async () => {
    const path = hostPath('taken-names');
    const first = await refusalOf(path, { loss: 'ib' });
    expect([first.code, first.message]).toEqual([
      'name-collision',
      expect.stringMatching(/"labels".*`rename: "labels=my_labels"`/),
    ]);
    const second = await refusalOf(path, { loss: 'ib', rename: { labels: 'target' } });
    expect([second.code, second.message]).toEqual([
      'name-collision',
      expect.stringMatching(/"loss".*`rename: "loss=my_loss"`/),
    ]);
    const graft = await graftHost(path, { loss: 'ib', rename: { labels: 'target', loss: 'cost' } });
    expectGraft(graft);
    expect(graft.report.outputs).toEqual(['loss', 'cost', 'loss_per_sample', 'ib_factor']);
  });
});
