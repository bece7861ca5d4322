import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readMeasured } from '../support/measured.ts';

const DATA = join(ROOT, 'fixtures/data');
const IMAGES = join(DATA, 'images');
const expected = new Map<string, Tensor>();

beforeAll(async () => {
  const npz = await openNpz(join(DATA, 'images.npz'));
  for (const [name, column] of npz.columns) expected.set(name, await column.read(0, column.dims[0] ?? 0));
  npz.close();
});

async function images(options: DataOptions, folder = IMAGES): Promise<Tensor> {
  const data = await openData(folder, options);
  if (data.unnamed === undefined) throw new Error('no images');
  return data.unnamed.read(0, data.unnamed.dims[0] ?? 0);
}

function numbers({ data }: Tensor): number[] {
  return Array.from(data, Number);
}

const FILTERS = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const;

/** torchvision's own rounding of a half crop differs from transformers': the rests here are even, or the two agree. */
const PIPELINES: readonly (readonly [string, DataOptions])[] = [
  ...FILTERS.map((filter) => [`${filter}-11x17`, { resize: '11x17', resample: filter }] as const),
  ...FILTERS.map((filter) => [`${filter}-45x70`, { resize: '45x70', resample: filter }] as const),
  ['shortest-16-crop-16', { resize: '16', crop: '16' }],
  ['crop-21x24', { crop: '21x24' }],
  ['grey-11x17', { resize: '11x17', channels: 1 }],
];

describe('the same bytes as Pillow and torchvision', () => {
  it.each(PIPELINES)('%s', async (name, options) => {
    const wanted = expected.get(name);
    const found = await images(options);
    expect(found.dims.slice(1)).toEqual(wanted?.dims.slice(1));
    const bytes = numbers(found).map((value) => Math.round(value * 255));
    expect(bytes.slice(0, wanted?.data.length)).toEqual(Array.from(wanted?.data ?? [], Number));
  });

  it('ImageNet mean and std, to the last bit', async () => {
    const options = { resize: '11x17', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    expect(numbers(await images(options))).toEqual(numbers(expected.get('normalized-11x17') ?? fail()));
  });
});

describe('preprocess files as transformers reads them', () => {
  it.each(['vit', 'clip', 'deit'])('%s', async (name) => {
    const wanted = expected.get(name) ?? fail();
    const found = await images({ preprocess: join(DATA, `preprocess/${name}.json`) });
    expect(found.dims).toEqual(wanted.dims);
    const differences = numbers(found).map((value, i) => Math.abs(value - Number(wanted.data[i])));
    expect(Math.max(...differences)).toBeLessThan(1e-6);
  });

  const vit: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(join(DATA, 'preprocess/vit.json'), 'utf8'));
  it.each([
    ['do_pad', { ...vit, do_pad: true }],
    ['crop_pct', { ...vit, crop_pct: 0.9 }],
    ['image_processor_type', { ...vit, image_processor_type: 'LevitImageProcessor' }],
    ['do_rescale', { ...vit, do_rescale: undefined }],
    ['resample', { ...vit, resample: 9 }],
    ['size', { ...vit, size: { height: 12 } }],
    ['size', { ...vit, size: { longest_edge: 12 } }],
    ['size', { ...vit, image_processor_type: undefined, size: 12 }],
    ['image_mean', { ...vit, image_mean: ['a'] }],
    ['do_center_crop', { ...vit, image_processor_type: undefined, crop_size: 8 }],
  ])('refuses %s', async (key, config) => {
    const path = join(temporaryFolder(), 'preprocessor_config.json');
    writeFileSync(path, JSON.stringify(config));
    await expect(images({ preprocess: path })).rejects.toMatchObject({
      code: 'bad-preprocess',
      problem: { where: `${path}, ${key}` },
    });
  });

  it('takes one number as the processor means it, and passes over what is off', async () => {
    const path = join(temporaryFolder(), 'preprocessor_config.json');
    writeFileSync(path, JSON.stringify({ ...vit, size: 12, do_pad: false, crop_pct: null }));
    expect((await images({ preprocess: path })).dims).toEqual([14, 3, 12, 12]);
  });

  it('is not mixed with options', async () => {
    const preprocess = join(DATA, 'preprocess/vit.json');
    await expect(images({ preprocess, crop: '8' })).rejects.toThrow('[option crop] expected either a preprocess file');
  });
});

describe('a folder of classes', () => {
  it('has classes in the order of code points, files sorted, and says so', async () => {
    const data = await openData(IMAGES, { resize: '8x8' });
    expect(data.classNames).toEqual(['Red', 'blue', 'zebra']);
    expect(data.notes).toEqual([`${IMAGES}: 14 images of 3 classes`]);
    expect(data.describeRow?.(0)).toBe('Red/420.jpg');
    expect(data.describeRow?.(5)).toBe('blue/la.png');
    const labels = await data.columns.get('labels')?.read(3, 9);
    expect(labels?.data).toEqual(BigInt64Array.from([0, 0, 1, 1, 1, 1, 1, 2, 2], BigInt));
  });

  it('reads any rows', async () => {
    const all = await images({ resize: '8x8' });
    const data = await openData(IMAGES, { resize: '8x8' });
    expect((await data.unnamed?.read(7, 3))?.data).toEqual(all.data.slice(7 * 192, 10 * 192));
    expect(data.unnamed?.black).toEqual([0, 0, 0]);
    await expect(data.unnamed?.read(10, 5)).rejects.toMatchObject({ code: 'rows-out-of-range' });
  });

  it('wants one size', async () => {
    await expect(images({})).rejects.toThrow('[Red/progressive.jpeg] expected 37 × 53 pixels');
    await expect(images({ crop: '35' })).rejects.toMatchObject({ code: 'image-smaller-than-crop' });
  });
});

describe('folders that are not right', () => {
  /** A copy of the images, changed. */
  function changed(change: (folder: string) => void): string {
    const folder = join(temporaryFolder(), 'images');
    cpSync(IMAGES, folder, { recursive: true });
    change(folder);
    return folder;
  }
  const write = (name: string, bytes: string | Uint8Array) => (folder: string) =>
    writeFileSync(join(folder, name), bytes);
  const start = (count: number): Uint8Array => readFileSync(join(IMAGES, 'Red/444.jpg')).subarray(0, count);
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>';

  it.each([
    ['an empty class', (folder: string) => mkdirSync(join(folder, 'none')), 'class-folders', /images\/none\]/],
    ['a text as an image', write('blue/x.png', 'hello'), 'image-format', /blue\/x\.png/],
    ['an SVG', write('blue/x.png', svg), 'image-format', /blue\/x\.png/],
    ['an empty file', write('blue/x.png', ''), 'image-format', /an empty file/],
    ['a bitmap', write('blue/x.bmp', 'BM12345678901234567890'), 'image-format', /blue\/x\.bmp/],
    ['an image cut short', write('blue/x.jpg', start(900)), 'bad-image', /blue\/x\.jpg/],
    ['nothing but a header', write('blue/x.jpg', start(200)), 'bad-image', /blue\/x\.jpg/],
    [
      'a deeper folder',
      (folder: string) => cpSync(IMAGES, join(folder, 'train'), { recursive: true }),
      'class-folders',
      /train\/Red/,
    ],
    [
      'a link out of it',
      (folder: string) => symlinkSync(join(DATA, 'images/Red/420.jpg'), join(folder, 'Red/a.jpg')),
      'outside-folder',
      /Red\/a\.jpg/,
    ],
    [
      'a link to nothing',
      (folder: string) => symlinkSync('nowhere', join(folder, 'Red/a.jpg')),
      'outside-folder',
      /a broken link/,
    ],
    [
      'no classes',
      (folder: string) => rmSync(folder, { recursive: true }) ?? mkdirSync(folder),
      'class-folders',
      /an empty folder/,
    ],
  ])('%s', async (_name, change, code, shown) => {
    const folder = changed(change);
    const error: unknown = await images({ resize: '8x8' }, folder).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringMatching(shown) });
  });

  it('leaves other files aside, and says so', async () => {
    const folder = changed((path) => {
      write('README.md', 'x')(path);
      write('blue/notes.csv', 'x')(path);
      write('.DS_Store', 'x')(path);
    });
    const { notes } = await openData(folder, { resize: '8x8' });
    expect(notes?.at(-1)).toBe(`${folder}: 2 other files left aside, the first README.md`);
  });

  /** A folder with these files: images' bytes for those, one letter for others. */
  function folderOf(names: readonly string[]): string {
    const folder = join(temporaryFolder(), 'data');
    mkdirSync(folder);
    for (const name of names) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), /\.(png|jpg)$/.test(name) ? readFileSync(join(IMAGES, 'Red/420.jpg')) : 'x');
    }
    return folder;
  }
  const tokenizer = { tokenizer: join(DATA, 'tokenizers/wordpiece.json'), maxLength: 8 };

  it.each([
    [['a/x.png', 'a/readme.txt', 'b/x.png'], {}, 2, 1],
    [['a/x.png', 'b/x.png', 'b/readme.txt'], {}, 2, 1],
    [['a/x.png', 'a/y.png', 'a/readme.txt', 'b/x.png', 'b/readme.txt'], {}, 3, 2],
    [['a/._x.txt', 'a/x.png', 'b/x.png'], {}, 2, 0],
    [['a/Thumbs.db', 'a/.DS_Store', 'a/x.png', 'b/desktop.ini', 'b/x.png', '__MACOSX/a/x.txt'], {}, 2, 0],
    [['a/__MACOSX/x.txt', 'a/x.png', 'b/._x.png', 'b/x.png', '.git/x.txt', '@eaDir/x.png'], {}, 2, 0],
    [['a/x.txt', 'a/cover.png', 'b/x.txt', 'b/y.txt'], tokenizer, 3, 1],
    [['a/x.png', 'a/x.txt', 'b/x.png', 'b/x.txt'], tokenizer, 2, 2],
  ] as const)(
    '%j: the kind is that of most classes, and hidden files never count',
    async (names, options, size, aside) => {
      const data = await openData(folderOf(names), options);
      expect(data.classNames).toEqual(['a', 'b']);
      expect(data.unnamed?.dims[0]).toBe(size);
      const note = data.notes?.slice(1) ?? [];
      expect(note).toEqual(
        aside === 0
          ? []
          : [expect.stringContaining(`${aside} other file${aside === 1 ? '' : 's'} left aside, the first `)],
      );
      data.close();
    },
  );

  it.each([
    [['a/x.png', 'a/x.txt', 'b/x.png', 'b/x.txt'], /2 of both.*`tokenizer`/],
    [['a/x.png', 'b/x.txt'], /1 of both/],
    [['a/x.png', 'a/y.png', 'b/x.txt'], /data\/b\] expected images of class b, found none/],
    [['a/x.json', 'b/x.json'], /found a, b, without such files/],
    [['a/._x.png', '._b/x.png'], /found a, without such files/],
    [['x.png', 'y.png'], /found x\.png, y\.png\./],
    [['.DS_Store'], /found an empty folder/],
  ])('%j is refused', async (names, shown) => {
    await expect(openData(folderOf(names), {})).rejects.toMatchObject({
      code: 'class-folders',
      message: expect.stringMatching(shown),
    });
  });

  it('16 bits of grey are refused by name', async () => {
    const folder = join(temporaryFolder(), 'images');
    mkdirSync(join(folder, 'a'), { recursive: true });
    copyFileSync(join(DATA, 'refused/grey16.png'), join(folder, 'a/grey16.png'));
    await expect(images({ resize: '8x8' }, folder)).rejects.toMatchObject({ code: 'image-format' });
  });

  it('a picture of a billion pixels is refused before it is decoded', async () => {
    const folder = join(temporaryFolder(), 'images');
    mkdirSync(join(folder, 'a'), { recursive: true });
    copyFileSync(join(DATA, 'refused/bomb.png'), join(folder, 'a/bomb.png'));
    const { code, megabytes } = await readMeasured(folder, { resize: '8x8' });
    expect(code).toBe('image-too-large');
    expect(megabytes).toBeLessThan(300);
  });
});

function fail(): never {
  throw new Error('no such array in images.npz');
}
