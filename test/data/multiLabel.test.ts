import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { classNames } from '../../src/classes/names.ts';
import { alignLabels } from '../../src/data/alignLabels.ts';
import { bindData } from '../../src/data/bind.ts';
import type { Dataset } from '../../src/data/dataset.ts';
import { labelsShown } from '../../src/data/labelsShown.ts';
import { openSamples } from '../../src/data/samples.ts';
import { fromTensors, LossgraftError, openData } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { ROOT } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'multi-label-'));
afterAll(() => rmSync(folder, { recursive: true }));

function csv(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function rowsOf(data: Dataset): Promise<number[][]> {
  const column = data.columns.get('labels');
  const [size = 0, width = 0] = column?.dims ?? [];
  const tensor = await column?.read(0, size);
  const numbers = tensor ? toNumbers(tensor) : [];
  return Array.from({ length: size }, (_, i) => numbers.slice(i * width, (i + 1) * width));
}

async function refusal(run: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof LossgraftError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

const COLUMNS = csv('columns.csv', 'a,cat,b,dog,bird\n0.5,1,2,0,1\n1.5,0,3,0,0\n2.5,true,4,1.0,False\n');
const NAMES = csv('names.csv', 'a,animals,b\n0.5,cat|bird,2\n1.5,,3\n2.5," dog | cat ",4\n');

describe('labels of a table', () => {
  it('columns of 0 and 1: they are no features', async () => {
    using data = await openData(COLUMNS, { labelColumns: ['cat', 'dog', 'bird'] });
    expect(await rowsOf(data)).toEqual([
      [1, 0, 1],
      [0, 0, 0],
      [1, 1, 0],
    ]);
    expect(data).toMatchObject({ classNames: ['cat', 'dog', 'bird'], labelsFrom: 'columns' });
    const features = await data.unnamed?.read(0, 3);
    expect(features?.dims).toEqual([3, 2]);
    expect(data.notes).toContainEqual(expect.stringMatching(/3 labels from columns cat, dog, bird/));
  });

  it('columns by a pattern', async () => {
    const path = csv('pattern.csv', 'x,is_a,is_b,isnot\n1,0,1,5\n2,1,1,6\n');
    using data = await openData(path, { labelColumns: ['is_*'] });
    expect(data.classNames).toEqual(['is_a', 'is_b']);
    expect((await data.unnamed?.read(0, 2))?.dims).toEqual([2, 2]);
  });

  it('names with a separator, spaces and empty cells', async () => {
    using data = await openData(NAMES, { labelColumn: 'animals', labelSeparator: '|' });
    expect(data.classNames).toEqual(['bird', 'cat', 'dog']);
    expect(await rowsOf(data)).toEqual([
      [1, 1, 0],
      [0, 0, 0],
      [0, 1, 1],
    ]);
    expect((await data.unnamed?.read(0, 3))?.dims).toEqual([3, 2]);
  });

  it('left aside where nobody asks for them', async () => {
    using data = await openData(COLUMNS, { labelColumns: ['cat', 'dog', 'bird'], unlabelled: true });
    expect(data.columns.has('labels')).toBe(false);
    expect((await data.unnamed?.read(0, 3))?.dims).toEqual([3, 2]);
  });

  it.each<[string, string, object, string, RegExp]>([
    ['a column that is not there', COLUMNS, { labelColumns: ['cat', 'fish'] }, 'table-columns', /fish/],
    ['one column', COLUMNS, { labelColumns: ['cat'] }, 'table-columns', /two or more labels/],
    ['a column twice', COLUMNS, { labelColumns: ['cat', 'cat'] }, 'table-columns', /each once/],
    [
      'a column of other numbers',
      COLUMNS,
      { labelColumns: ['cat', 'b'] },
      'labels-dtype',
      /row 0 \(line 2\), column b\].*"?2"?/,
    ],
    [
      'both ways',
      COLUMNS,
      { labelColumns: ['cat', 'dog'], labelSeparator: '|' },
      'option-conflict',
      /labelColumns.*labelSeparator/,
    ],
    [
      'a separator that never comes',
      csv('one.csv', 'a,label\n1,cat\n2,cat\n'),
      { labelSeparator: ';' },
      'table-columns',
      /two or more labels/,
    ],
    ['a missing cell', csv('gap.csv', 'a,x,y\n1,0,\n'), { labelColumns: ['x', 'y'] }, 'missing-value', /column y/],
  ])('%s: refused', async (_, path, options, code, message) => {
    const found = await refusal(() => openData(path, options));
    expect(found.code).toBe(code);
    expect(found.message).toMatch(message);
  });
});

describe('a folder of images with a table of their labels', () => {
  const PNG = join(ROOT, 'fixtures/data/images/blue/rgba.png');
  const folderWith = (name: string, table: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    for (const image of ['a.png', 'b.png']) copyFileSync(PNG, join(path, image));
    writeFileSync(join(path, table), text);
    return path;
  };

  it('_classes.csv, as Roboflow writes it', async () => {
    const path = folderWith('roboflow', '_classes.csv', 'filename,cat,dog\na.png,1,0\nb.png,1,1\n');
    using data = await openData(path, { resize: '4x4' });
    expect(data.classNames).toEqual(['cat', 'dog']);
    expect(await rowsOf(data)).toEqual([
      [1, 0],
      [1, 1],
    ]);
    expect((await data.unnamed?.read(0, 2))?.dims).toEqual([2, 3, 4, 4]);
  });

  it('labels.csv, with names in one column', async () => {
    const path = folderWith('named', 'labels.csv', 'file_name,tags\na.png,dog|cat\nb.png,\n');
    using data = await openData(path, { resize: '4x4', labelColumn: 'tags', labelSeparator: '|' });
    expect(await rowsOf(data)).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  it('no table, where one is asked for', async () => {
    const path = join(folder, 'bare');
    mkdirSync(path);
    const found = await refusal(() => openData(path, { labelColumns: ['a', 'b'] }));
    expect(found).toMatchObject({
      code: 'table-columns',
      message: expect.stringMatching(/labels.csv, metadata.csv or _classes.csv/),
    });
  });
});

describe('labels and the model’s classes', () => {
  const names = classNames(['dog', 'bird', 'cat', 'fish'], 'config.json');

  it('names are put into the order of the scores, a label without samples is 0', async () => {
    using data = await openData(NAMES, { labelColumn: 'animals', labelSeparator: '|' });
    const aligned = await alignLabels(data, { names });
    expect(await rowsOf(aligned)).toEqual([
      [0, 1, 1, 0],
      [0, 0, 0, 0],
      [1, 0, 1, 0],
    ]);
    expect(aligned.notes?.join()).toMatch(/matched by name with config.json.*no samples of fish/);
  });

  it('of columns each label of the model has to have one', async () => {
    using data = await openData(COLUMNS, { labelColumns: ['cat', 'dog', 'bird'] });
    const found = await refusal(() => alignLabels(data, { names }));
    expect(found).toMatchObject({ code: 'table-columns', message: expect.stringMatching(/none for fish/) });
  });

  it('a name that the model does not know', async () => {
    using data = await openData(NAMES, { labelColumn: 'animals', labelSeparator: '|' });
    const others = classNames(['cat', 'horse', 'dog'], 'the file');
    expect((await refusal(() => alignLabels(data, { names: others }))).code).toBe('unknown-class');
  });

  it('names of option classes', async () => {
    using data = await openData(NAMES, {
      labelColumn: 'animals',
      labelSeparator: '|',
      classes: ['dog', 'cat', 'bird'],
    });
    expect(await rowsOf(data)).toEqual([
      [0, 1, 1],
      [0, 0, 0],
      [1, 1, 0],
    ]);
  });
});

describe('labels of arrays', () => {
  const of = (dtype: 'uint8' | 'float32' | 'int64', rows: readonly (readonly number[])[]): Dataset => {
    const flat = rows.flat();
    const arrays = {
      uint8: Uint8Array.from(flat),
      float32: Float32Array.from(flat),
      int64: BigInt64Array.from(flat, (x) => BigInt(Math.round(x))),
    };
    return fromTensors({
      x: { dtype: 'float32', dims: [rows.length, 1], data: new Float32Array(rows.length) },
      labels: { dtype, dims: [rows.length, rows[0]?.length ?? 0], data: arrays[dtype] },
    });
  };
  const port = { name: 'x', dtype: 'float32', shape: [undefined, 1] } as const;
  const labels = { name: 'labels', classes: 3, task: 'multi-label' } as const;

  it.each(['uint8', 'float32', 'int64'] as const)('%s rows are fed as float32', async (dtype) => {
    const bound = bindData(
      of(dtype, [
        [1, 0, 1],
        [0, 0, 0],
      ]),
      [port],
      labels,
    );
    expect((await bound.read(0, 2)).labels).toEqual({
      dtype: 'float32',
      dims: [2, 3],
      data: Float32Array.of(1, 0, 1, 0, 0, 0),
    });
  });

  it.each<[string, number[][], string, RegExp]>([
    ['another width', [[1, 0]], 'labels-shape', /3 labels.*uint8\[1, 2\]/],
    [
      'other numbers',
      [
        [0, 0, 1],
        [0, 2, 0],
      ],
      'labels-dtype',
      /row 1, label 1\] expected 0 or 1, found 2/,
    ],
  ])('%s: refused', async (_, rows, code, message) => {
    const found = await refusal(async () => bindData(of('uint8', rows), [port], labels).read(0, rows.length));
    expect(found.code).toBe(code);
    expect(found.message).toMatch(message);
  });

  it('rows are divided by their rarest label, and by none', async () => {
    const samples = await openSamples(
      of('uint8', [
        [1, 1, 0],
        [1, 0, 0],
        [0, 0, 0],
        [1, 1, 1],
      ]),
      [port],
      labels,
    );
    expect(samples.labels).toEqual(BigInt64Array.of(1n, 0n, 3n, 2n));
    expect(samples.hot).toEqual(Uint8Array.of(1, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1));
  });

  it('what they show: an index each, one label each, several', async () => {
    expect(
      await labelsShown(
        of('uint8', [
          [1, 0, 0],
          [0, 0, 1],
        ]),
      ),
    ).toBe('one-hot');
    expect(
      await labelsShown(
        of('uint8', [
          [1, 0, 0],
          [1, 0, 1],
        ]),
      ),
    ).toBe('multi-hot');
    expect(
      await labelsShown(
        of('uint8', [
          [1, 0, 0],
          [0, 0, 0],
        ]),
      ),
    ).toBe('multi-hot');
    expect(await labelsShown(of('float32', [[0.5, 0.5, 0]]))).toBe('probabilities');
    expect(await labelsShown(of('float32', [[0.5, 0.7, 0]]))).toBe('numbers');
    const plain = fromTensors({ labels: { dtype: 'int64', dims: [2], data: BigInt64Array.of(0n, 1n) } });
    expect(await labelsShown(plain)).toBe('indices');
  });
});
