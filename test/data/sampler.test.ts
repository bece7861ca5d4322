import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawnCounts, epochOrder, type Sampler, sampledOrder } from '../../src/data/sampler.ts';
import { ROOT } from '../support/cli.ts';

/** 60, 12 and 3 samples of three classes, rows 100 to 174. */
const COUNTS = [60, 12, 3];
const labels = BigInt64Array.from(
  [...Array<number>(100).fill(9), ...COUNTS.flatMap((count, label) => Array<number>(count).fill(label))],
  BigInt,
);
const rows = Uint32Array.from({ length: 75 }, (_, i) => 100 + i);
const draw = (sampler: Sampler, epoch = 0, seed = 0) =>
  sampledOrder({ samples: { labels }, rows }, sampler, { seed, epoch });
const drawn = (order: Uint32Array) => COUNTS.map((_, k) => order.filter((row) => labels[row] === BigInt(k)).length);

describe('an epoch of a sampler', () => {
  it.each([
    ['balanced', [25, 25, 25]],
    // 75 · √n / Σ√n: 45.52, 20.36, 10.18, one more where the remainder is largest.
    ['sqrt', [45, 20, 10]],
    ['instance', COUNTS],
  ] as const)('%s has as many samples as there are, in these shares', (sampler, counts) => {
    const order = draw(sampler);
    expect(order).toHaveLength(75);
    const found = drawn(order);
    for (const [k, count] of counts.entries()) expect(Math.abs((found[k] ?? 0) - count)).toBeLessThanOrEqual(1);
  });

  it('takes no sample of a class once more before all others have come', () => {
    const order = draw('balanced');
    const often = (k: number) => {
      const times = new Map<number, number>();
      for (const row of order) if (labels[row] === BigInt(k)) times.set(row, (times.get(row) ?? 0) + 1);
      return [...times.values()];
    };
    expect(often(0)).toEqual(Array(25).fill(1));
    expect(often(1).sort()).toEqual([...Array(11).fill(2), 3]);
    expect(often(2).sort()).toEqual([8, 8, 9]);
  });

  it.each(['balanced', 'sqrt'] as const)('%s mixes the classes over the whole epoch', (sampler) => {
    const order = draw(sampler);
    const parts = [order.slice(0, 25), order.slice(25, 50), order.slice(50)].map(drawn);
    for (const part of parts) for (const count of part) expect(count).toBeGreaterThan(0);
  });

  it('is a function of seed and epoch, and each has another one', () => {
    expect(draw('balanced', 3, 5)).toEqual(draw('balanced', 3, 5));
    expect(draw('balanced', 3, 5)).not.toEqual(draw('balanced', 4, 5));
    expect(draw('balanced', 3, 5)).not.toEqual(draw('balanced', 3, 6));
    expect(draw('instance', 2, 1)).toEqual(epochOrder(rows, 1, 2));
  });
});

interface Case {
  readonly sampler: Sampler;
  readonly counts: readonly number[];
  /** n^q / Σ n^q, and what PyTorch's WeightedRandomSampler drew. */
  readonly share: readonly number[];
  readonly drawn: readonly number[];
}

const PYTORCH: { readonly draws: number; readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/sampling/sampler.json'), 'utf8'),
);

describe('against PyTorch', () => {
  it.each(PYTORCH.cases.map((one) => [one.sampler, one.counts.join(', '), one] as const))(
    '%s of %s samples',
    (_, __, { sampler, counts, share, drawn }) => {
      const labels = BigInt64Array.from(
        counts.flatMap((count, label) => Array<number>(count).fill(label)),
        BigInt,
      );
      const rows = Uint32Array.from(labels.keys());
      const order = sampledOrder({ samples: { labels }, rows }, sampler, { seed: 1, epoch: 2 });
      const stated = drawnCounts(counts, sampler);
      for (const [k, p] of share.entries()) {
        const own = order.filter((row) => labels[row] === BigInt(k)).length;
        expect(Math.abs(own - p * rows.length)).toBeLessThanOrEqual(1);
        expect(Math.abs((stated[k] ?? 0) - Math.max(1, p * rows.length))).toBeLessThanOrEqual(0.5);
        const error = Math.sqrt((p * (1 - p)) / PYTORCH.draws);
        expect(Math.abs((drawn[k] ?? 0) - own / rows.length)).toBeLessThan(4 * error + 1 / rows.length);
      }
    },
  );
});
