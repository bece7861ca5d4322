import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { augmentImages, drawAugmentation } from '../../src/data/augmentation.ts';
import { fromTensors } from '../../src/data/dataset.ts';
import { limiter } from '../../src/data/limiter.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { permutation, random, xoshiro } from '../../src/data/random.ts';
import { rowStore } from '../../src/data/rowStore.ts';
import { openSamples } from '../../src/data/samples.ts';
import { selectRows } from '../../src/data/select.ts';
import { countClasses, labelsOf, stratifiedSplit } from '../../src/data/split.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const DATA = join(ROOT, 'fixtures/data');

describe('random numbers', () => {
  it('are those of xoshiro128**', () => {
    const { next } = xoshiro([1, 2, 3, 4]);
    const reference = [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ];
    expect(Array.from({ length: 10 }, next)).toEqual(reference);
  });

  it('depend on every key, and on nothing else', () => {
    const first = (...keys: number[]): number => random(...keys).next();
    expect(first(1, 2, 3)).toBe(first(1, 2, 3));
    const others = [
      first(1, 2, 4),
      first(1, 3, 3),
      first(2, 2, 3),
      first(1, 2),
      first(3, 2, 1),
      first(1, 2, 2 ** 32 + 3),
    ];
    expect(new Set([first(1, 2, 3), ...others]).size).toBe(7);
  });

  it('are even below n', () => {
    const { below } = random(7);
    const counts = new Array<number>(6).fill(0);
    for (let i = 0; i < 60_000; i++) {
      const drawn = below(6);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    // Chi-squared of 5 degrees of freedom is below 20.5 in 99.9 % of cases.
    expect(counts.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0)).toBeLessThan(20.5);
  });

  it('permute all numbers, every place equally likely', () => {
    expect([...permutation(100, 1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    const firsts = new Array<number>(5).fill(0);
    for (let seed = 0; seed < 10_000; seed++) {
      const [drawn = 0] = permutation(5, seed);
      firsts[drawn] = (firsts[drawn] ?? 0) + 1;
    }
    expect(firsts.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0)).toBeLessThan(18.5);
  });
});

describe('selected rows', () => {
  const values: Tensor = { dtype: 'float32', dims: [6, 2], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  const names: Tensor = { dtype: 'string', dims: [6], data: ['a', 'b', 'c', 'd', 'e', 'f'] };

  it('are those of the data, in the order asked for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }), async (rows) => {
        const chosen = selectRows(fromTensors({ x: values, names }), Uint32Array.from(rows));
        const { data, dims } = (await chosen.columns.get('x')?.read(0, rows.length)) ?? { data: [], dims: [] };
        expect(dims).toEqual([rows.length, 2]);
        expect(Array.from(data, Number)).toEqual(rows.flatMap((row) => [2 * row, 2 * row + 1]));
        expect((await chosen.columns.get('names')?.read(0, rows.length))?.data).toEqual(
          rows.map((row) => 'abcdef'[row]),
        );
      }),
    );
  });

  it('of a selection', async () => {
    const twice = selectRows(selectRows(fromTensors({ x: values }), Uint32Array.of(5, 3, 1)), Uint32Array.of(2, 0));
    expect((await twice.columns.get('x')?.read(0, 2))?.data).toEqual(Float32Array.of(2, 3, 10, 11));
  });

  it('are what a model is fed with, also where all rows are in memory', async () => {
    const labels: Tensor = { dtype: 'int64', dims: [6], data: BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 5n]) };
    const chosen = selectRows(fromTensors({ x: values, labels }), Uint32Array.of(5, 3));
    const ports = [
      { name: 'x', dtype: 'float32', shape: [undefined, 2] },
      { name: 'labels', dtype: 'int64', shape: [undefined] },
    ] as const;
    const samples = await openSamples(chosen, ports, { name: 'labels', classes: 6 });
    expect(samples.labels).toEqual(BigInt64Array.of(5n, 3n));
    expect((await samples.read(Uint32Array.of(1, 0))).x?.data).toEqual(Float32Array.of(6, 7, 10, 11));
  });

  it('outside are refused', async () => {
    const data = fromTensors({ x: values });
    expect(() => selectRows(data, Uint32Array.of(6))).toThrow('rows among 0…5');
    await expect(selectRows(data, Uint32Array.of(0)).columns.get('x')?.read(0, 2)).rejects.toThrow('0…0');
  });
});

describe('a stratified split', () => {
  const labels = fc.array(fc.nat(4), { minLength: 1, maxLength: 200, size: 'max' });
  const fractions = fc.double({ min: 0.01, max: 0.99, noNaN: true });

  it('keeps every row once, and the share of every class to the nearest sample', () => {
    fc.assert(
      fc.property(labels, fractions, fc.nat(), (given, fraction, seed) => {
        const { train, validation } = stratifiedSplit(given, fraction, seed);
        expect([...train, ...validation].sort((a, b) => a - b)).toEqual(given.map((_, i) => i));
        for (let label = 0; label <= 4; label++) {
          const size = given.filter((l) => l === label).length;
          const held = [...validation].filter((row) => given[row] === label).length;
          if (size < 2) expect(held).toBe(0);
          else if (held > 1 && held < size - 1) expect(Math.abs(held - size * fraction)).toBeLessThanOrEqual(0.5);
          else expect(held === 1 || held === size - 1).toBe(true);
        }
      }),
    );
  });

  it('is the same for the same seed, and another for another', () => {
    const given = Array.from({ length: 100 }, (_, i) => BigInt(i % 3));
    expect(stratifiedSplit(given, 0.2, 1)).toEqual(stratifiedSplit(given, 0.2, 1));
    expect(stratifiedSplit(given, 0.2, 1)).not.toEqual(stratifiedSplit(given, 0.2, 2));
  });

  it.each([0, 1, -0.1, Number.NaN])('of %d is refused', (fraction) => {
    expect(() => stratifiedSplit([0, 1], fraction, 0)).toThrow('between 0 and 1');
  });
});

it('classes are counted, over more rows than are read at once', async () => {
  const data = Int32Array.from({ length: 70_000 }, (_, i) => (i < 69_998 ? 2 : 0));
  const all = fromTensors({ labels: { dtype: 'int32', dims: [70_000], data } });
  const column = all.columns.get('labels');
  expect(column && (await countClasses(column, 'x'))).toEqual([2, 0, 69_998]);
  expect((await labelsOf(all)).length).toBe(70_000);
  await expect(labelsOf(all, 2)).rejects.toMatchObject({ code: 'label-out-of-range' });
  await expect(labelsOf(fromTensors({}))).rejects.toMatchObject({ code: 'no-labels' });
});

describe('augmentation', () => {
  const { seed, epoch, padding, rows, draws } = JSON.parse(readFileSync(join(DATA, 'draws.json'), 'utf8'));

  it('draws the same today as ever', () => {
    const found = rows.map((row: number) => drawAugmentation({ padding, flip: true }, seed, epoch, row));
    expect(found).toEqual(draws);
  });

  it('crops and flips as torchvision does', async () => {
    const npz = await openNpz(join(DATA, 'augmented.npz'));
    const images = await npz.columns.get('images')?.read(0, rows.length);
    const expected = await npz.columns.get('augmented')?.read(0, rows.length);
    npz.close();
    if (images === undefined) throw new Error('no images');
    const keys = { seed, epoch, rows };
    expect(augmentImages(images, { padding, flip: true }, keys, [-0.5, 0.25])).toEqual(expected);
    expect(augmentImages(images, {}, keys)).toEqual(images);
    const one: Tensor = {
      dtype: 'float32',
      dims: [1, 2, 5, 7],
      data: images.data.slice(3 * 70, 4 * 70) as Float32Array,
    };
    const alone = augmentImages(one, { padding, flip: true }, { seed, epoch, rows: [rows[3]] }, [-0.5, 0.25]);
    expect(alone.data).toEqual(expected?.data.slice(3 * 70, 4 * 70));
  });

  it('is for images', () => {
    const flat: Tensor = { dtype: 'float32', dims: [1, 4], data: new Float32Array(4) };
    expect(() => augmentImages(flat, { flip: true }, { seed: 0, epoch: 0, rows: [0] })).toThrow('expected images');
    const image: Tensor = { dtype: 'float32', dims: [1, 1, 2, 2], data: new Float32Array(4) };
    expect(() => augmentImages(image, { padding: -1 }, { seed: 0, epoch: 0, rows: [0] })).toThrow('whole number');
  });
});

describe('a row store', () => {
  it('gives back what was put in, from memory and from its file', () => {
    const store = rowStore('rows');
    const piece = Uint8Array.from({ length: 700_001 }, (_, i) => (i * 7) % 251);
    const pieces = 110; // 77 MB: above the 64 MiB that stay in memory
    const seen = new Uint8Array(1000);
    const check = (offset: number): void => {
      store.readInto(seen, offset);
      for (let i = 0; i < seen.length; i += 37) expect(seen[i]).toBe(piece[(offset + i) % piece.length]);
    };
    for (let i = 0; i < pieces; i++) {
      store.append(piece);
      if (i % 10 === 0) check(i * 700_001);
    }
    expect(store.size).toBe(pieces * piece.length);
    for (const offset of [0, 2 ** 20 - 500, 2 ** 26 - 500, store.size - 1000]) check(offset);
    expect(() => store.readInto(seen, store.size - 999)).toThrow(RangeError);
    store.close();
    store.close();
  });

  it('puts its file where it is told', () => {
    const folder = join(temporaryFolder(), 'gone');
    const store = rowStore('rows', folder);
    const piece = new Uint8Array(2 ** 22);
    const fill = (): void => {
      for (let i = 0; i < 17; i++) store.append(piece);
    };
    expect(fill).toThrow(`[rows] expected space for its rows in the folder ${folder}, found ENOENT`);
  });
});

it('a limiter runs so many at once, and goes on after an error', async () => {
  const limit = limiter(2);
  let running = 0;
  let most = 0;
  const work = Array.from({ length: 9 }, (_, i) =>
    limit(async () => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      if (i % 3 === 0) throw new Error('no');
      return i;
    }),
  );
  const results = await Promise.allSettled(work);
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(6);
  expect(most).toBe(2);
});
