import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readMeasured } from '../support/measured.ts';

const DATA = join(ROOT, 'fixtures/data');
const TABLES = join(DATA, 'tables');
const expected = new Map<string, Tensor>();

beforeAll(async () => {
  const npz = await openNpz(join(DATA, 'tables.npz'));
  for (const [name, column] of npz.columns) expected.set(name, await column.read(0, column.dims[0] ?? 0));
  npz.close();
});

function file(text: string, name = 'data.csv'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

async function all(data: Dataset, name?: string): Promise<Tensor> {
  const column = name === undefined ? data.unnamed : data.columns.get(name);
  if (column === undefined) throw new Error(`no column ${name}`);
  return column.read(0, column.dims[0] ?? 0);
}

const refusal = (path: string, options: DataOptions = {}): Promise<unknown> =>
  openData(path, options).then(
    () => 'no error',
    (error: unknown) => error,
  );

const NUMBERS = ['small', 'count', 'single', 'double', 'level'];
const BY_SPECIES: DataOptions = { labelColumn: 'species', featureColumns: NUMBERS };

describe('CSV as pandas writes it', () => {
  it.each(['plain.csv', 'windows.csv', 'quoted.csv', 'tabs.tsv'])('%s', async (name) => {
    const data = await openData(join(TABLES, name), BY_SPECIES);
    expect(await all(data)).toEqual(expected.get('csv'));
    expect((await all(data, 'labels')).data).toEqual(expected.get('species')?.data);
    expect(data.classNames).toEqual(expected.get('classes')?.data);
    data.close();
  });

  it('without a heading, by semicolons', async () => {
    const data = await openData(join(TABLES, 'headless.csv'), { header: false, delimiter: ';', labelColumn: '5' });
    expect(await all(data)).toEqual(expected.get('csv'));
    expect((await all(data, 'labels')).data).toEqual(expected.get('index')?.data);
    expect(data.classNames).toBeUndefined();
    data.close();
  });

  it('reads any rows', async () => {
    const data = await openData(join(TABLES, 'plain.csv'), BY_SPECIES);
    expect((await data.unnamed?.read(100, 3))?.data).toEqual(expected.get('csv')?.data.slice(500, 515));
    expect((await data.columns.get('labels')?.read(256, 1))?.data).toEqual(expected.get('species')?.data.slice(256));
    await expect(data.unnamed?.read(250, 8)).rejects.toMatchObject({ code: 'rows-out-of-range' });
    data.close();
  });
});

describe('Parquet as pyarrow writes it', () => {
  const files = ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'v2', 'plain', 'encodings'];
  it.each(files)('%s', async (name) => {
    const featureColumns = [...NUMBERS.slice(0, 4), 'flag', 'level'];
    const data = await openData(join(TABLES, `${name}.parquet`), { labelColumn: 'species', featureColumns });
    expect(await all(data)).toEqual(expected.get('numbers'));
    expect((await all(data, 'labels')).data).toEqual(expected.get('species')?.data);
    data.close();
    const byIndex = await openData(join(TABLES, `${name}.parquet`), {
      labelColumn: 'index',
      featureColumns: ['level'],
    });
    expect((await all(byIndex, 'labels')).data).toEqual(expected.get('index')?.data);
    byIndex.close();
  });

  it('with row groups that have no rows', async () => {
    const data = await openData(join(TABLES, 'groups.parquet'));
    expect(await all(data)).toEqual({ dtype: 'float32', dims: [5, 1], data: Float32Array.of(1, 2, 3, 1, 2) });
    data.close();
  });

  it.each([
    ['missing', { labelColumn: 'index', featureColumns: ['single'] }, 'missing-value', /row 105, column single/],
    ['none', { labelColumn: 'index', featureColumns: { x: ['text'] } }, 'no-number', /row 0, column text/],
    ['prefixes', { labelColumn: 'species', featureColumns: ['single'] }, 'parquet-encoding', /DELTA_BYTE_ARRAY/],
    ['lists', {}, 'bad-parquet', /lists or structs/],
    ['dates', {}, 'parquet-column', /dates/],
    ['empty', {}, 'data-size', /found no rows/],
    ['groupless', {}, 'data-size', /found no rows/],
    ['uint64', {}, 'label-names', /row 1, column label\] .* found 18446744073709551615/],
  ] as const)('%s is refused', async (name, options, code, shown) => {
    const error = await refusal(join(TABLES, `${name}.parquet`), options);
    expect(error).toMatchObject({ code, message: expect.stringMatching(shown) });
  });
});

describe('damaged Parquet', () => {
  it('a run that claims more values than its page has', async () => {
    const bytes = readFileSync(join(TABLES, 'runs.parquet'));
    const run = Buffer.from([0xf2, 0x1f, 0x01]); // 2041 times the dictionary's entry 1
    const at = bytes.indexOf(run);
    expect(bytes.indexOf(run, at + 1)).toBe(-1);
    bytes.set([0xfe, 0x7f], at);
    const path = join(temporaryFolder(), 'x.parquet');
    writeFileSync(path, bytes);
    expect(await refusal(path)).toMatchObject({
      code: 'bad-parquet',
      message: expect.stringMatching(/a run of 8191 values where 2041 are left/),
    });
  });

  it.each([
    ['lists that claim more elements than there are bytes', [0x19, 0xfc, 0xff, 0xff, 0xff, 0x0f]],
    ['lists in lists', Array.from({ length: 200 }, () => [0x19, 0x19]).flat()],
    ['structures in structures', Array.from({ length: 5000 }, () => 0x1c)],
    ['a number without an end', [0x16, ...Array.from({ length: 1000 }, () => 0x80)]],
  ])('%s', async (_name, footer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    const path = join(temporaryFolder(), 'x.parquet');
    writeFileSync(path, Buffer.concat([Buffer.from('PAR1'), Buffer.from(footer), length, Buffer.from('PAR1')]));
    expect(await refusal(path)).toMatchObject({ code: 'bad-parquet' });
  });
});

describe('columns', () => {
  const path = (): string => file('a,b,label,c\n1,2,0,3\n4,5,1,6\n');

  it('are all but the labels', async () => {
    const data = await openData(path());
    expect(await all(data)).toEqual({ dtype: 'float32', dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect(data.notes?.[0]).toMatch(/data\.csv: 2 rows; features a, b, c; labels from label$/);
  });

  it('go to several inputs by name', async () => {
    const data = await openData(path(), { featureColumns: { x: ['c', 'a'], 'ids:int64': ['b'] } });
    expect(data.unnamed).toBeUndefined();
    expect(await all(data, 'x')).toEqual({ dtype: 'float32', dims: [2, 2], data: Float32Array.of(3, 1, 6, 4) });
    expect(await all(data, 'ids')).toEqual({ dtype: 'int64', dims: [2, 1], data: BigInt64Array.of(2n, 5n) });
  });

  it('of identifiers keep every digit', async () => {
    const ids = ['9007199254740993', '-9223372036854775808', '+7', '2.0'];
    const featureColumns = { 'ids:int64': ['id'] };
    const data = await openData(file(`id,label\n${ids.map((id) => `${id},0\n`).join('')}`), { featureColumns });
    expect((await all(data, 'ids')).data).toEqual(BigInt64Array.of(2n ** 53n + 1n, -(2n ** 63n), 7n, 2n));
    for (const id of ['9223372036854775808', '1.5', '1e20', 'x'])
      expect(await refusal(file(`id,label\n${id},0\n`), { featureColumns })).toMatchObject({ code: 'no-number' });
  });

  it.each([
    [{ featureColumns: ['a', 'label'] }, /columns other than the labels/],
    [{ featureColumns: ['d'] }, /a column among a, b, label, c/],
    [{ labelColumn: 'class' }, /a column among/],
    [{ featureColumns: [] }, /at least one column/],
  ])('%j is refused', async (options, shown) => {
    expect(await refusal(path(), options)).toMatchObject({
      code: 'table-columns',
      message: expect.stringMatching(shown),
    });
  });

  it('want a column of labels, or a file', async () => {
    expect(await refusal(file('a,b\n1,2\n'))).toMatchObject({ code: 'table-columns' });
    const labels = join(TABLES, '../labels.npy');
    expect(await refusal(path(), { labels, labelColumn: 'c' })).toMatchObject({ code: 'table-columns' });
  });
});

describe('labels', () => {
  const labelsOf = async (labels: readonly string[], options: DataOptions = {}) => {
    const data = await openData(file(`x,label\n${labels.map((label) => `1,${label}`).join('\n')}\n`), options);
    return { names: data.classNames, indices: Array.from((await all(data, 'labels')).data, Number), notes: data.notes };
  };

  it('that are whole numbers are indices', async () => {
    expect(await labelsOf(['3', '0', '10'])).toMatchObject({ names: undefined, indices: [3, 0, 10] });
  });

  it('that are names are sorted by code point', async () => {
    const { names, indices } = await labelsOf(['b', 'A', '\u{1F600}', '\uFF5E', '10', 'b']);
    expect(names).toEqual(['10', 'A', 'b', '\uFF5E', '\u{1F600}']);
    expect(indices).toEqual([2, 1, 4, 3, 0, 2]);
  });

  it('below 0 are names, sorted by value', async () => {
    expect(await labelsOf(['1', '-1', '-2'])).toMatchObject({ names: ['-2', '-1', '1'], indices: [2, 1, 0] });
  });

  it('that floating point writes are indices too, as in Parquet', async () => {
    expect(await labelsOf(['3.0', '0', '0.', '1e0'])).toMatchObject({ names: undefined, indices: [3, 0, 0, 1] });
    const classes = ['7', '3', '1.0'];
    expect(await labelsOf(['3.0', '7', '1.0'], { classes })).toMatchObject({ names: classes, indices: [1, 0, 2] });
    const data = await openData(join(TABLES, 'groups.parquet'));
    expect((await all(data, 'labels')).data).toEqual(BigInt64Array.of(0n, 1n, 2n, 0n, 1n));
    data.close();
  });

  it('that are names stay as they are written', async () => {
    expect(await labelsOf(['1.0', 'beta', '1'])).toMatchObject({ names: ['1', '1.0', 'beta'], indices: [1, 2, 0] });
  });

  it('have the order that is given', async () => {
    expect(await labelsOf(['3', '1'], { classes: ['1', '2', '3'] })).toMatchObject({
      names: ['1', '2', '3'],
      indices: [2, 0],
    });
  });

  it.each([
    [['-0.5', '1'], {}, 'label-names'],
    [['0.0', '0.5'], {}, 'label-names'],
    [['0', '18446744073709551615'], {}, 'label-names'],
    [['-0.5', '1e7'], {}, 'label-names'],
    [['1.5', '2'], { classes: ['1', '2'] }, 'unknown-class'],
    [['0', ''], {}, 'missing-value'],
    [['a', 'NaN'], {}, 'missing-value'],
    [['a', 'b'], { classes: ['a'] }, 'unknown-class'],
  ])('%j %j is refused', async (labels, options, code) => {
    await expect(labelsOf(labels, options)).rejects.toMatchObject({ code });
  });
});

describe('cells and rows that are not right, by row and line', () => {
  it.each([
    ['x,label\n1,0\n\n2\n', 'ragged-row', /line 4\]/],
    ['x,label\n1,0\n2,0,3\n', 'ragged-row', /line 3\]/],
    ['x,label\n1,0\nabc,0\n', 'no-number', /row 1 \(line 3\), column x\] .* found "abc"/],
    ['x,label\n"1\n",0\n0x10,0\n', 'no-number', /row 1 \(line 4\), column x/],
    ['x,label\n1e39,0\n', 'no-number', /float32/],
    ['x,label\nInfinity,0\n', 'no-number', /Infinity/],
    ['x,label\n1,0\n,0\n', 'missing-value', /row 1 \(line 3\), column x/],
    ['x,label\nNA,0\n', 'missing-value', /NA/],
    ['x,label\n1,"a\n', 'bad-csv', /line/],
    ['x,x\n1,0\n', 'csv-header', /x twice/],
    ['x,\n1,0\n', 'csv-header', /column 1 without/],
    ['1,0\n2,1\n', 'csv-header', /`header: false`/],
    ['', 'csv-header', /an empty file/],
    ['x,label\n', 'data-size', /no rows/],
    ['x,label\n1,0\n2,1.5\n', 'label-names', /row 1 \(line 3\), column label\] .* found 1\.5/],
  ])('%j', async (text, code, shown) => {
    expect(await refusal(file(text))).toMatchObject({ code, message: expect.stringMatching(shown) });
  });

  it.each([
    ['1,zw\xf6lf\n', 2],
    ['1,a\n2,b\n3,zw\xf6lf\n4,c\n', 4],
    [`${'1,a\n'.repeat(50_000)}2,zw\xf6lf\n3,b\n`, 50_002],
    ['1,zw\xf6lf', 2],
  ])('bytes that are not UTF-8, with their line', async (rows, line) => {
    const path = join(temporaryFolder(), 'latin1.csv');
    writeFileSync(path, Buffer.from(`x,label\n${rows}`, 'latin1'));
    const message = expect.stringMatching(
      new RegExp(`latin1\\.csv, line ${line}\\] expected UTF-8, found other bytes`),
    );
    expect(await refusal(path)).toMatchObject({ code: 'bad-csv', message });
  });

  it('a line of a gigabyte', async () => {
    const path = join(temporaryFolder(), 'long.csv');
    const fd = openSync(path, 'w');
    writeSync(fd, 'x,label\n');
    ftruncateSync(fd, 2 ** 30);
    closeSync(fd);
    const { code, megabytes } = await readMeasured(path);
    expect(code).toBe('csv-record-too-large');
    expect(megabytes).toBeLessThan(400);
  });
});

it('an option that such data do not have is refused', async () => {
  expect(await refusal(file('x,label\n1,0\n'), { crop: '8' })).toMatchObject({ code: 'unused-data-option' });
  expect(await refusal(join(DATA, 'images'), { labelColumn: 'x' })).toMatchObject({ code: 'unused-data-option' });
});
