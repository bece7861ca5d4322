import {
  closeSync,
  copyFileSync,
  cpSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/numpy/npy.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readMeasured } from '../support/measured.ts';

const IDX = join(ROOT, 'fixtures/data/idx');
const expected = new Map<string, Tensor>();

beforeAll(async () => {
  const npz = await openNpz(join(ROOT, 'fixtures/data/idx.npz'));
  for (const [name, column] of npz.columns) expected.set(name, await column.read(0, 40));
  npz.close();
});

async function read(
  path: string,
  options: DataOptions = {},
): Promise<{ images: Tensor; labels: Tensor; notes: readonly string[] }> {
  const data = await openData(path, options);
  const column = data.columns.get('labels');
  if (data.unnamed === undefined || column === undefined) throw new Error('no images or no labels');
  const size = data.unnamed.dims[0] ?? 0;
  const [images, labels] = [await data.unnamed.read(0, size), await column.read(0, size)];
  data.close();
  return { images, labels, notes: data.notes ?? [] };
}

function rows(name: string, from: number, to: number): number[] {
  const { data = [], dims = [] } = expected.get(name) ?? {};
  const width = dims.slice(1).reduce((n, d) => n * d, 1);
  return Array.from(data, Number).slice(from * width, to * width);
}
const numbers = ({ data }: Tensor): number[] => Array.from(data, Number);

describe('files as MNIST has them', () => {
  it('from a folder: the train part, and says so', async () => {
    const { images, labels, notes } = await read(IDX);
    expect(images.dims).toEqual([30, 1, 5, 7]);
    expect(numbers(images)).toEqual(rows('scaled', 0, 30));
    expect(numbers(labels)).toEqual(rows('labels', 0, 30));
    expect(notes[0]).toMatch(/^train-images-idx3-ubyte\.gz of .*; there are also t10k-images\.idx3-ubyte$/);
    expect(notes[1]).toMatch(/labels from .*train-labels-idx1-ubyte\.gz: 30 samples$/);
  });

  it('from a folder: the test part', async () => {
    const { images, labels } = await read(IDX, { split: 'test' });
    expect(numbers(images)).toEqual(rows('scaled', 30, 40));
    expect(numbers(labels)).toEqual(rows('labels', 30, 40));
  });

  it('and what a system leaves beside them is passed over', async () => {
    const folder = temporaryFolder();
    for (const file of readdirSync(IDX)) copyFileSync(join(IDX, file), join(folder, file));
    writeFileSync(join(folder, '._train-images-idx3-ubyte'), 'x');
    const data = await openData(folder);
    expect(data.unnamed?.dims[0]).toBe(30);
    data.close();
  });

  it('from the file of images; mean and std to the last bit of PyTorch', async () => {
    const options = { mean: [0.1307], std: [0.3081] };
    const { images } = await read(join(IDX, 't10k-images.idx3-ubyte'), options);
    expect(numbers(images)).toEqual(rows('normalized', 30, 40));
    const data = await openData(join(IDX, 't10k-images.idx3-ubyte'), options);
    expect(data.unnamed?.black).toEqual([Math.fround(-0.1307) / Math.fround(0.3081)].map(Math.fround));
    expect((await data.unnamed?.read(4, 2))?.data).toEqual(Float32Array.from(rows('normalized', 34, 36)));
    data.close();
  });

  it('with labels from elsewhere', async () => {
    const labels = join(temporaryFolder(), 'labels.npy');
    writeFileSync(
      labels,
      encodeNpy({ dtype: 'int64', dims: [10], data: BigInt64Array.from({ length: 10 }, () => 3n) }),
    );
    expect(numbers((await read(IDX, { split: 'test', labels })).labels)).toEqual(Array.from({ length: 10 }, () => 3));
  });
});

describe('files that are not right', () => {
  const images = readFileSync(join(IDX, 't10k-images.idx3-ubyte'));
  const zipped = readFileSync(join(IDX, 'train-images-idx3-ubyte.gz'));
  const plain = gunzipSync(zipped);

  function changed(bytes: Uint8Array, name = 'x-images-idx3-ubyte'): string {
    const folder = temporaryFolder();
    copyFileSync(join(IDX, 't10k-labels.idx1-ubyte'), join(folder, 'x-labels-idx1-ubyte'));
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  }
  function patch(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
    const copy = Uint8Array.from(bytes);
    copy.set(values, at);
    return copy;
  }
  const gz = 'x-images-idx3-ubyte.gz';

  it.each([
    ['too short', images.subarray(0, -1), undefined, 'bad-idx', /364 bytes .* 365|366 bytes/],
    ['too long', Buffer.concat([images, Buffer.of(0)]), undefined, 'bad-idx', /as its header says/],
    [
      'sizes that overflow',
      patch(images, 4, ...Array.from({ length: 12 }, () => 255)),
      undefined,
      'bad-idx',
      /memory addresses/,
    ],
    ['no images', patch(images.subarray(0, 16), 4, 0, 0, 0, 0), undefined, 'data-size', /found no rows/],
    ['rank 255', patch(images, 3, 255), undefined, 'bad-idx', /rank/],
    ['rank 0', patch(images, 3, 0), undefined, 'bad-idx', /rank/],
    ['another magic', patch(images, 0, 31), undefined, 'bad-idx', /bytes 31 0 8 3/],
    ['empty', new Uint8Array(), undefined, 'bad-idx', /an empty file/],
    ['floats', patch(images, 2, 13), undefined, 'idx-dtype', /type 13/],
    [
      'rank 1',
      Buffer.concat([Buffer.of(0, 0, 8, 1, 0, 0, 0, 2), Buffer.of(1, 2)]),
      undefined,
      'idx-files',
      /N, height, width/,
    ],
    ['as many labels as images', gunzipSync(gzipSync(plain)), undefined, 'idx-files', /as many labels as images: 30/],
    ['gzip cut short', zipped.subarray(0, 300), gz, 'bad-idx', /gzip/],
    ['no gzip', images, gz, 'bad-idx', /gzip/],
    ['gzip of less than it says', gzipSync(plain.subarray(0, 500)), gz, 'bad-idx', /500 bytes/],
    [
      'gzip of more than it says',
      gzipSync(Buffer.concat([plain, new Uint8Array(9)])),
      gz,
      'bad-idx',
      /more than 1066 bytes/,
    ],
    ['gzip that claims what it cannot hold', gzipSync(patch(plain, 4, 0, 1, 0, 0)), gz, 'bad-idx', /cannot hold/],
  ])('%s', async (_name, bytes, name, code, shown) => {
    await expect(read(changed(bytes, name))).rejects.toMatchObject({ code, message: expect.stringMatching(shown) });
  });

  it('a gzip bomb is refused by its header', async () => {
    const header = Buffer.of(0, 0, 8, 3, 0, 0x30, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28);
    const path = changed(gzipSync(Buffer.concat([header, Buffer.alloc(2 ** 26)])), gz);
    const fd = openSync(path, 'a');
    writeSync(fd, Buffer.alloc(1));
    ftruncateSync(fd, 4 * 2 ** 20);
    closeSync(fd);
    const { code, megabytes } = await readMeasured(path);
    expect(code).toBe('idx-too-large');
    expect(megabytes).toBeLessThan(300);
  });

  it('no labels beside, several files of a part, no such part', async () => {
    const folder = join(temporaryFolder(), 'idx');
    cpSync(IDX, folder, { recursive: true });
    copyFileSync(join(folder, 't10k-images.idx3-ubyte'), join(folder, 'test-images.idx3-ubyte'));
    await expect(read(folder, { split: 'test' })).rejects.toMatchObject({ code: 'idx-files' });
    rmSync(join(folder, 'train-labels-idx1-ubyte.gz'));
    await expect(read(folder)).rejects.toThrow('train-labels-idx1-ubyte.gz, found neither');
    rmSync(join(folder, 'train-images-idx3-ubyte.gz'));
    await expect(read(folder, { split: 'train' })).rejects.toThrow('expected one file of train images');
    await expect(read(join(IDX, 't10k-labels.idx1-ubyte'))).rejects.toMatchObject({ code: 'idx-files' });
    await expect(read(join(IDX, 't10k-images.idx3-ubyte'), { split: 'test' })).rejects.toMatchObject({
      code: 'idx-files',
    });
    await expect(read(IDX, { std: [0] })).rejects.toMatchObject({ code: 'bad-normalization' });
  });
});
