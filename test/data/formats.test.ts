import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/images/image.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT } from '../support/cli.ts';

const arrays = new Map<string, Tensor>();
const npz = await openNpz(join(ROOT, 'fixtures/data/formats.npz'));
for (const [name, column] of npz.columns) arrays.set(name, await column.read(0, column.dims[0] ?? 0));
npz.close();

const names = [...arrays.keys()].filter((key) => key.startsWith('file:')).map((key) => key.slice('file:'.length));

/** What Pillow reads and we do not: each by name, and why. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'alpha-associated-16.tif': /found associated alpha in 16 bits/,
  'float.tif': /samples float/,
  'grey-16-transparent.png': /colours grey16/,
  'grey-16.png': /colours grey16/,
  'grey-16.tif': /colours grey16/,
  'ycbcr.tif': /found colours YCbCr without JPEG/,
  'zstd.tif': /ZSTD compression support is not configured/,
};

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(arrays.get(key)?.data ?? [], Number);
}

describe('images in every form, as Pillow reads them', () => {
  it.each(names.filter((name) => !(name in REFUSED) && arrays.has(`rgb:${name}`)))('%s', async (name) => {
    const wanted = arrays.get(`rgb:${name}`);
    const { height, width, data } = await decodeImage(bytesOf(`file:${name}`), 3, name);
    expect([height, width, 3]).toEqual(wanted?.dims);
    expect(Array.from(data)).toEqual(Array.from(wanted?.data ?? [], Number));
  });

  it.each(Object.entries(REFUSED))('%s is refused', async (name, shown) => {
    await expect(decodeImage(bytesOf(`file:${name}`), 3, name)).rejects.toMatchObject({
      code: 'image-format',
      message: expect.stringMatching(shown),
    });
  });

  it.each(names.filter((name) => !arrays.has(`rgb:${name}`)))('%s is damaged, as Pillow finds it', async (name) => {
    await expect(decodeImage(bytesOf(`file:${name}`), 3, name)).rejects.toMatchObject({ code: 'bad-image' });
  });
});
