import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { type Dataset, fromTensors } from '../../src/data/dataset.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import { openSamples } from '../../src/data/samples.ts';
import { type Usual, usualOf } from '../../src/report/cells.ts';
import { previewsOf } from '../../src/report/preview.ts';
import type { Preview } from '../../src/report/report.ts';
import type { Port } from '../../src/runtime/session.ts';
import type { DataType, Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const DATA = join(ROOT, 'fixtures/data');
const LABELS: Port = { name: 'labels', dtype: 'int64', shape: [undefined] };

/** Previews of rows, for a model that has these inputs. */
async function previews(
  data: Dataset,
  inputs: Readonly<Record<string, DataType>>,
  rows: readonly number[],
  usual?: Usual,
): Promise<Preview[]> {
  const ports = Object.entries(inputs).map(([name, dtype]): Port => ({ name, dtype, shape: undefined }));
  const samples = await openSamples(data, [...ports, LABELS], { name: 'labels', classes: undefined });
  const found = await previewsOf(data, [...ports, LABELS], samples, rows, usual);
  data.close();
  return found;
}

/** The bytes of a picture, channels together. */
async function pixels(preview: Preview | undefined): Promise<{ data: number[]; size: readonly number[] }> {
  if (preview?.kind !== 'image') throw new Error('no image');
  const bytes = Buffer.from(preview.uri.replace(/^data:image\/webp;base64,/, ''), 'base64');
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  return { data: [...data], size: [info.width, info.height, info.channels] };
}

/** What Pillow made of the images, each with its channels together, as RGB. */
async function pillow(name: string, row: number): Promise<number[]> {
  const npz = await openNpz(join(DATA, 'images.npz'));
  const tensor = await npz.columns.get(name)?.read(row, 1);
  npz.close();
  const [, channels = 0, height = 0, width = 0] = tensor?.dims ?? [];
  const size = height * width;
  return Array.from({ length: 3 * size }, (_, i) =>
    Number(tensor?.data[(channels === 1 ? 0 : i % 3) * size + Math.floor(i / 3)]),
  );
}

describe('thumbnails', () => {
  it.each([
    ['bilinear-11x17', { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }],
    ['bilinear-11x17', {}],
    ['grey-11x17', { channels: 1, mean: [0.1307], std: [0.3081] }],
  ] as const)(
    'of a folder of images are %s as Pillow has it, with the normalisation %j taken back',
    async (name, options) => {
      const data = await openData(join(DATA, 'images'), { resize: '11x17', ...options } as DataOptions);
      const rows = [0, 3, 13];
      const found = await previews(data, { x: 'float32' }, rows);
      for (const [i, row] of rows.entries()) {
        const { data: bytes, size } = await pixels(found[i]);
        expect(size).toEqual([17, 11, 3]);
        expect(bytes).toEqual(await pillow(name, row));
      }
    },
  );

  it('of IDX images', async () => {
    const data = await openData(join(DATA, 'idx'), { mean: [0.286], std: [0.353] });
    const scaled = (await openNpz(join(DATA, 'idx.npz'))).columns.get('scaled');
    const expected = await scaled?.read(5, 1);
    const [found] = await previews(data, { x: 'float32' }, [5]);
    const { data: bytes, size } = await pixels(found);
    expect(size).toEqual([7, 5, 3]);
    expect(bytes.filter((_, i) => i % 3 === 0)).toEqual(
      Array.from(expected?.data ?? [], Number).map((v) => Math.round(255 * v)),
    );
  });

  const grey = (values: readonly number[]): Tensor => ({
    dtype: 'float32',
    dims: [1, 1, 1, values.length],
    data: Float32Array.from(values),
  });
  it.each([
    ['within 0 to 1', [0, 0.2, 0.6], [0, 51, 153]],
    ['within 0 to 255', [0, 7, 200], [0, 7, 200]],
    ['of any numbers: from the smallest to the largest', [-2, 0, 2], [0, 128, 255]],
    ['all equal', [-3, -3, -3], [0, 0, 0]],
  ])('of arrays %s', async (_, values, expected) => {
    const labels: Tensor = { dtype: 'int64', dims: [1], data: BigInt64Array.of(0n) };
    const [found] = await previews(fromTensors({ x: grey(values), labels }), { x: 'float32' }, [0]);
    const { data: bytes } = await pixels(found);
    expect(bytes.filter((_value, i) => i % 3 === 0)).toEqual(expected);
  });

  it('of large images are made small', async () => {
    const size = 3 * 500 * 300;
    const noise: Tensor = {
      dtype: 'float32',
      dims: [1, 3, 500, 300],
      data: Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 251) / 251),
    };
    const labels: Tensor = { dtype: 'int64', dims: [1], data: BigInt64Array.of(0n) };
    const [found] = await previews(fromTensors({ x: noise, labels }), { x: 'float32' }, [0]);
    expect((await pixels(found)).size).toEqual([96, 160, 3]);
    expect(found?.kind === 'image' && found.uri.length).toBeLessThan(40_000);
  });
});

describe('what is no image is shown as text', () => {
  const texts = (found: readonly Preview[]): (string | undefined)[] =>
    found.map((one) => (one.kind === 'text' ? one.text : undefined));

  it.each(['wordpiece', 'bytelevel', 'unigram'])('a text as its tokens tell it: %s', async (name) => {
    const data = await openData(join(DATA, 'texts.csv'), {
      tokenizer: join(DATA, `tokenizers/${name}.json`),
      maxLength: 16,
    });
    const [found] = texts(await previews(data, { input_ids: 'int64', attention_mask: 'int64' }, [0]));
    expect(found?.toLowerCase().replace(/[^a-z]/g, '')).toContain('agentlefunny');
    expect(found).not.toMatch(/PAD|CLS|<s>/i);
  });

  it('the first numbers of arrays', async () => {
    const labels: Tensor = { dtype: 'int64', dims: [2], data: BigInt64Array.of(0n, 1n) };
    const x: Tensor = { dtype: 'float32', dims: [2, 12], data: Float32Array.from({ length: 24 }, (_, i) => i / 3) };
    const y: Tensor = { dtype: 'int64', dims: [2], data: BigInt64Array.of(5n, -6n) };
    const found = await previews(fromTensors({ x, y, labels }), { x: 'float32', y: 'int64' }, [1]);
    expect(texts(found)).toEqual(['x: 4, 4.333, 4.667, 5, 5.333, 5.667, 6, 6.333, 6.667, 7, … (12)\ny: -6']);
  });
});

describe('a row of a table', () => {
  /** 100 people: ages 1 to 100, heights of 1.5 but one of 2.25; the tenth has an income, and columns that are as usual. */
  async function people(): Promise<Dataset> {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'people.csv');
    const rows = Array.from({ length: 100 }, (_, i) =>
      [i + 1, i === 7 ? 2.25 : 1.5, i === 9 ? 1e6 : i % 10, i === 9 ? -1 : i % 3, i % 2].join(','),
    );
    writeFileSync(path, `age,height,income,debts,label\n${rows.join('\n')}\n`);
    return openData(path);
  }

  async function cellsOf(row: number): Promise<{ column: string; value: string; usual: string | null }[]> {
    const data = await people();
    const usual = usualOf(
      data,
      Uint32Array.from({ length: 100 }, (_, i) => i),
    );
    const [found] = await previews(data, { x: 'float32' }, [row], usual);
    if (found?.kind !== 'cells') throw new Error('no cells');
    expect(found.left).toBe(0);
    return [...found.cells];
  }

  it('shows its cells by their columns, first those that few training samples have, with what nine of ten have', async () => {
    // numpy.quantile(range(1, 101), [.05, .95]) is 5.95 and 95.05, shown with three digits.
    expect(await cellsOf(99)).toEqual([
      { column: 'age', value: '100', usual: '5.95 to 95' },
      { column: 'height', value: '1.5', usual: null },
      { column: 'income', value: '9', usual: null },
      { column: 'debts', value: '0', usual: null },
    ]);
    // Equally rare: the income is further out, in widths of the usual range.
    expect((await cellsOf(9)).map(({ column, value, usual }) => [column, value, usual])).toEqual([
      ['income', '1000000', '0 to 9'],
      ['debts', '−1', '0 to 2'],
      ['age', '10', null],
      ['height', '1.5', null],
    ]);
    expect((await cellsOf(7))[0]).toEqual({ column: 'height', value: '2.25', usual: '1.5' });
  });

  it('of very many columns keeps the unusual ones, and says how many are left out', async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    const path = join(folder, 'wide.csv');
    const names = Array.from({ length: 300 }, (_, c) => `c${c}`);
    const rows = Array.from({ length: 50 }, (_, i) => [
      ...names.map((_n, c) => (c === 250 && i === 3 ? 99 : i % 5)),
      i % 2,
    ]);
    writeFileSync(path, [[...names, 'label'], ...rows].map((row) => row.join(',')).join('\n'));
    const data = await openData(path);
    const usual = usualOf(
      data,
      Uint32Array.from({ length: 50 }, (_, i) => i),
    );
    const [found] = await previews(data, { x: 'float32' }, [3], usual);
    expect(found).toMatchObject({ kind: 'cells', left: 260 });
    expect(found?.kind === 'cells' && found.cells[0]).toEqual({ column: 'c250', value: '99', usual: '0 to 4' });
  });
});
