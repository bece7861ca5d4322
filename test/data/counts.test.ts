import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCounts, readWeights } from '../../src/data/counts.ts';
import { encodeNpy } from '../../src/data/numpy/npy.ts';
import { writeNpz } from '../../src/data/numpy/npz.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

describe('class counts', () => {
  it.each([
    ['a list', '5000, 2997,1796', [5000, 2997, 1796]],
    ['one number', '7', [7]],
    ['names', 'ant=5000, bee wasp=2997', { ant: 5000, 'bee wasp': 2997 }],
    ['indices', '1=2997,0=5000', [5000, 2997]],
  ])('%s', async (_what, text, counts) => expect(await readCounts(text)).toEqual(counts));

  it.each([
    ['an array', 'c.json', '[3, 2, 1]', [3, 2, 1]],
    ['an object by class, in any order', 'c.json', '{"2": 1, "0": 3, "1": 2}', [3, 2, 1]],
    ['a row', 'c.csv', '3,2,1\n', [3, 2, 1]],
    ['a row of two classes', 'c.csv', '3,2\n', [3, 2]],
    ['a column', 'c.csv', '3\r\n2\r\n1\r\n', [3, 2, 1]],
    ['a column with a heading', 'c.csv', 'count\n3\n2\n', [3, 2]],
    ['pairs with a heading', 'c.csv', 'class,count\n1,2\n0,3\n2,1\n', [3, 2, 1]],
    ['pairs without', 'c.csv', '0,3\n1,2\n', [3, 2]],
    ['an object by name', 'c.json', '{"cat": 3, "dog": 2}', { cat: 3, dog: 2 }],
    ['pairs by name', 'c.csv', 'class,count\ncat,3\ndog,2\n', { cat: 3, dog: 2 }],
    ['names that are numbers', 'c.csv', '0,3\n2,2\n', { 0: 3, 2: 2 }],
  ])('%s', async (_what, name, text, counts) => expect(await readCounts(file(name, text))).toEqual(counts));

  it('labels are counted, of any integer dtype', async () => {
    const data = Uint8Array.of(2, 0, 0, 1, 0, 2);
    expect(await readCounts(file('y.npy', encodeNpy({ dtype: 'uint8', dims: [6], data })))).toEqual([3, 1, 2]);
    const path = join(temporaryFolder(), 'y.npz');
    await writeNpz(path, { labels: { dtype: 'int32', dims: [6, 1], data: Int32Array.from(data) } });
    expect(await readCounts(path)).toEqual([3, 1, 2]);
  });

  it('the digits fixture’s labels give its counts', async () => {
    const counts = await readCounts(join(ROOT, 'fixtures/digits/counts.json'));
    expect(await readCounts(join(ROOT, 'fixtures/digits/train.npz'))).toEqual(counts);
  });

  it.each<[string, string, string | Uint8Array, RegExp]>([
    ['a zero', 'c.json', '[3, 0]', /class 1\].*found 0/],
    ['a fraction', 'c.json', '[3, 1.5]', /class 1\].*found 1\.5/],
    ['text', 'c.json', '[3, "2"]', /class 1\].*found NaN/],
    ['no counts', 'c.json', '[]', /found no counts/],
    ['a class twice', 'c.csv', 'cat,3\ncat,2\n', /each class once, found "cat" twice/],
    ['a named class without samples', 'c.json', '{"cat": 3, "dog": 0}', /found 0/],
    ['no JSON', 'c.json', '[3,', /expected JSON/],
    ['a number alone', 'c.json', '3', /expected an array/],
    ['ragged rows', 'c.csv', '1,2,3\n4,5\n', /one row of numbers/],
    [
      'a class without labels',
      'y.npy',
      encodeNpy({ dtype: 'int8', dims: [2], data: Int8Array.of(0, 2) }),
      /class 1\].*found 0/,
    ],
    [
      'a negative label',
      'y.npy',
      encodeNpy({ dtype: 'int8', dims: [2], data: Int8Array.of(0, -2) }),
      /row 1\].*found -2/,
    ],
    [
      'an absurd label',
      'y.npy',
      encodeNpy({ dtype: 'int64', dims: [1], data: BigInt64Array.of(2n ** 62n) }),
      /row 0\]/,
    ],
    [
      'floats',
      'y.npy',
      encodeNpy({ dtype: 'float32', dims: [2], data: Float32Array.of(0, 1) }),
      /integer dtype, found float32/,
    ],
    ['another format', 'c.txt', '3,2', /ends in \.json, \.csv, \.npy or \.npz/],
  ])('refused: %s', async (_what, name, content, message) => {
    await expect(readCounts(file(name, content))).rejects.toThrow(message);
  });
});

describe('class weights', () => {
  it('from JSON, CSV and an .npy of floats', async () => {
    expect(await readWeights(file('w.json', '[0.5, 0, 2e3]'))).toEqual([0.5, 0, 2000]);
    expect(await readWeights(file('w.csv', '0.5,1'))).toEqual([0.5, 1]);
    const data = Float64Array.of(0.25, 4);
    expect(await readWeights(file('w.npy', encodeNpy({ dtype: 'float64', dims: [2], data })))).toEqual([0.25, 4]);
  });

  it.each([
    ['w.json', '[1, -1]', /class 1\].*found -1/],
    ['w.csv', '1,inf', /class 1\].*found NaN/],
    ['w.json', '[]', /found none/],
    ['w.json', '{"cat": 1, "dog": -2}', /class dog\].*found -2/],
  ])('refused: %s %s', async (name, text, message) => {
    await expect(readWeights(file(name, text))).rejects.toThrow(message);
  });

  it('by the names of the classes, in a file or a text', async () => {
    const byName = { cat: 0.5, 'sea dog': 3 };
    expect(await readWeights(file('w.json', JSON.stringify(byName)))).toEqual(byName);
    expect(await readWeights(file('w.csv', 'class,weight\ncat,0.5\nsea dog,3'))).toEqual(byName);
    expect(await readWeights('cat=0.5,sea dog=3')).toEqual(byName);
    expect(await readWeights('0.5,3')).toEqual([0.5, 3]);
  });

  it('an .npy of labels is no file of weights', async () => {
    const path = file('w.npy', encodeNpy({ dtype: 'int64', dims: [1], data: BigInt64Array.of(1n) }));
    await expect(readWeights(path)).rejects.toThrow(/of floats, one per class, found int64\[1\]/);
  });
});
