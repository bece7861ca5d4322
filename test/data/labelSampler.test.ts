import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countLabels, listsOf, rarestLabels } from '../../src/data/labelLists.ts';
import { drawnLabels, type Sampler, sampledOrder } from '../../src/data/sampler.ts';
import { ROOT } from '../support/cli.ts';

interface Facts {
  readonly draws: number;
  readonly hot: readonly number[][];
  /** The share of drawn samples that have each label: by the formula, and as PyTorch drew them. */
  readonly cases: readonly {
    readonly sampler: Sampler;
    readonly expected: readonly number[];
    readonly drawn: readonly number[];
  }[];
}

const { draws, hot: own, cases }: Facts = JSON.parse(readFileSync(join(ROOT, 'fixtures/sampling/labels.json'), 'utf8'));
const width = own[0]?.length ?? 0;
const hot = Uint8Array.from(own.flat());
const lists = listsOf(hot, width);
const labels = BigInt64Array.from(rarestLabels(lists, countLabels(lists, width)), BigInt);
const rows = Uint32Array.from(own.keys());
const samples = { labels, hot };

describe.each(cases)('class-aware sampling, $sampler', ({ sampler, expected, drawn }) => {
  const order = (epoch: number) => sampledOrder({ samples, rows }, sampler, { seed: 1, epoch });

  it('has labels in the shares of PyTorch’s WeightedRandomSampler', () => {
    const epochs = 300;
    const seen = Array<number>(width).fill(0);
    for (let epoch = 0; epoch < epochs; epoch++) {
      const rowsOf = order(epoch);
      expect(rowsOf).toHaveLength(rows.length);
      for (const row of rowsOf) for (let k = 0; k < width; k++) seen[k] = (seen[k] ?? 0) + (hot[row * width + k] ?? 0);
    }
    for (const [k, share] of expected.entries()) {
      expect(Math.abs((seen[k] ?? 0) / (epochs * rows.length) - share)).toBeLessThan(0.01);
      expect(Math.abs((drawn[k] ?? 0) - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / draws));
    }
  });

  it('says how often it draws each label on average', () => {
    const counts = drawnLabels({ samples, rows }, sampler);
    for (const [k, share] of expected.entries()) expect(counts[k]).toBe(Math.max(1, Math.round(share * rows.length)));
  });

  it('is a function of seed and epoch', () => {
    expect(order(2)).toEqual(order(2));
    expect(order(2)).not.toEqual(order(3));
  });
});

it('draws some of the rows alone', () => {
  const some = rows.filter((row) => row % 3 === 0);
  const order = sampledOrder({ samples, rows: some }, 'balanced', { seed: 0, epoch: 0 });
  expect(order).toHaveLength(some.length);
  expect(order.every((row) => some.includes(row))).toBe(true);
});
