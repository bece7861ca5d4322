import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preparedFor } from '../../src/data/prepared.ts';
import {
  type Column,
  type DataOptions,
  type Dataset,
  decodeNpy,
  fromTensors,
  type OpenedData,
  openData,
  type ShardIndex,
  shard,
} from '../../src/index.ts';
import type { Port } from '../../src/runtime/feeds.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const at = (path: string): string => join(ROOT, 'fixtures', path);
const TABLE_PORTS: Port[] = [{ name: 'x', dtype: 'float32', shape: ['N', undefined] }];

interface Case {
  readonly path: string;
  readonly options?: DataOptions;
  readonly ports?: Port[];
}

const CASES: Readonly<Record<string, Case>> = {
  'NumPy arrays': { path: at('digits/train.npz') },
  'images in class folders': { path: at('data/images'), options: { resize: '9x8', mean: [0.4, 0.5, 0.6], std: [0.2] } },
  'grey images': { path: at('data/images'), options: { resize: '8x8', channels: 1 } },
  'images without labels': { path: at('data/images'), options: { resize: '8x8', unlabelled: true } },
  'images as the folder of the model says': { path: at('folders/images'), options: { model: at('folders/vit') } },
  IDX: { path: at('data/idx'), options: { mean: [0.1307], std: [0.3081] } },
  'a table of numbers and categories': {
    path: at('data/tables/people.csv'),
    options: { categorical: ['zip'], missing: 'mean' },
    ports: TABLE_PORTS,
  },
  'a table whose categories have an order': {
    path: at('data/tables/people.csv'),
    options: { missing: 'keep', categories: 'ordinal', categoryOrder: { size: ['S', 'M', 'L', 'XL'] } },
    ports: TABLE_PORTS,
  },
  'columns for each input': {
    path: at('data/tables/plain.csv'),
    options: { labelColumn: 'species', featureColumns: { a: ['small'], b: ['single', 'level'], 'c:int64': ['count'] } },
  },
  Parquet: { path: at('data/tables/plain.parquet'), options: { labelColumn: 'species' }, ports: TABLE_PORTS },
  texts: { path: at('folders/reviews.csv'), options: { model: at('folders/bert') } },
  'texts in class folders': { path: at('data/texts'), options: { tokenizer: at('folders/bert/tokenizer.json') } },
  'columns of labels': {
    path: at('multiLabel/columns.csv'),
    options: { labelColumns: ['blue', 'gr*', 'red'] },
    ports: TABLE_PORTS,
  },
  'names of labels': {
    path: at('multiLabel/names.csv'),
    options: { labelColumn: 'colours', labelSeparator: '|' },
    ports: TABLE_PORTS,
  },
};

async function numbersOf(column: Column, batch: number): Promise<unknown[]> {
  const [rows = 0] = column.dims;
  const found = [];
  for (let start = 0; start < rows; start += batch) found.push(await column.read(start, Math.min(batch, rows - start)));
  return found;
}

/** Everything that a verb can see of data, read in batches. */
async function seen(given: OpenedData, { ports = [] }: Case, batch: number): Promise<unknown> {
  const fitted = given.table?.fit(ports, Uint32Array.of(0, 1, 2));
  const data: Dataset = given.table ? preparedFor(given, ports, fitted?.preparation) : given;
  const columns = [...data.columns, ...(data.unnamed ? [['unnamed', data.unnamed] as const] : [])];
  const rows = columns[0]?.[1].dims[0] ?? 0;
  const numbers = [];
  for (const [name, column] of columns) {
    const { dtype, dims, black, white, mayBeNaN } = column;
    numbers.push({ name, dtype, dims, black, white, mayBeNaN, numbers: await numbersOf(column, batch) });
  }
  const { classNames, labelsFrom, classPlaces, describeRow, showRow, cellsOf } = data;
  return {
    numbers,
    fitted,
    labels: { classNames, labelsFrom, classPlaces },
    sources: describeRow && Array.from({ length: rows }, (_, row) => describeRow(row)),
    shown: showRow && (await Promise.all(Array.from({ length: rows }, async (_, row) => showRow(row)))),
    cells: cellsOf && Array.from({ length: rows }, (_, row) => cellsOf(row)),
  };
}

function renamed(value: unknown, from: string, to: string): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item)).replaceAll(
      from,
      to,
    ),
  );
}

describe('shards give what the data give, bit for bit', () => {
  it.each(Object.entries(CASES))('%s', async (_name, one) => {
    const folder = join(temporaryFolder(), 'shards');
    using data = await openData(one.path, one.options);
    const expected = await seen(data, one, 3);
    const index = await shard(data, folder, { rowsPerShard: 5 });
    expect(index.columns[0]?.shards.length).toBe(Math.ceil(index.rows / 5));
    using opened = await openData(folder, { unlabelled: one.options?.unlabelled === true });
    const found = await seen(opened, one, 3);
    expect(found).toEqual({ ...(expected as object), fitted: (found as { fitted: unknown }).fitted });
    const [a, b] = [expected, found].map((each) => (each as { fitted: unknown }).fitted);
    expect(renamed(b, folder, 'DATA')).toEqual(renamed(a, one.path, 'DATA'));
  });
});

const TENSORS = {
  double: { dtype: 'float64', dims: [4, 2], data: Float64Array.of(0.1, -0, 1e300, 2, 3, 4, 5, 6) },
  half: { dtype: 'float16', dims: [4], data: Uint16Array.of(1, 0x7c00, 3, 4) },
  long: { dtype: 'int64', dims: [4, 1], data: BigInt64Array.of(-1n, 2n ** 62n, 0n, 5n) },
  flag: { dtype: 'bool', dims: [4, 2], data: Uint8Array.of(0, 1, 1, 0, 0, 0, 1, 1) },
  words: { dtype: 'string', dims: [4, 2], data: ['é', '', '\u0000a', '漢字', 'b', 'c\n', '😀', ' '] },
  labels: { dtype: 'int64', dims: [4], data: BigInt64Array.of(2n, 0n, 2n, 0n) },
  other: { dtype: 'float32', dims: [3], data: new Float32Array(3) },
} as const;

async function made(options: Parameters<typeof shard>[2] = { rowsPerShard: 3 }) {
  const folder = join(temporaryFolder(), 'shards');
  using data = fromTensors(TENSORS);
  return { folder, index: await shard(data, folder, options) };
}

it('every type of NumPy and texts come back as they were; what has other rows is left aside with a note', async () => {
  const { folder, index } = await made();
  using opened = await openData(folder);
  for (const [name, tensor] of Object.entries(TENSORS)) {
    if (name !== 'other') expect(await opened.columns.get(name)?.read(0, 4)).toEqual(tensor);
  }
  expect((await opened.columns.get('words')?.read(2, 0))?.data).toEqual([]);
  expect((await opened.columns.get('double')?.read(4, 0))?.data).toEqual(new Float64Array());
  expect([...opened.columns.keys()]).not.toContain('other');
  expect(index.provenance.notes).toEqual(['tensors: other has not 4 rows; left aside']);
  expect(index.classes.counts).toEqual([2, 0, 2]);
  const floats = fromTensors({ x: { dtype: 'bfloat16', dims: [1], data: new Uint16Array(1) } });
  await expect(shard(floats, `${folder}-2`)).rejects.toMatchObject({ code: 'npy-dtype' });
});

it('labels that are probabilities count for the most probable class', async () => {
  const folder = join(temporaryFolder(), 'shards');
  const data = Float32Array.of(0.7, 0.3, 0.2, 0.8, 0.4, 0.6);
  const x = { dtype: 'float32', dims: [3, 1], data: new Float32Array(3) } as const;
  const index = await shard(fromTensors({ x, labels: { dtype: 'float32', dims: [3, 2], data } }), folder);
  expect(index.classes.counts).toEqual([1, 2]);
  using opened = await openData(folder);
  expect(await opened.columns.get('labels')?.read(0, 3)).toEqual({ dtype: 'float32', dims: [3, 2], data });
});

it('files are plain .npy with the hashes of the index, and images are bytes', async () => {
  const folder = join(temporaryFolder(), 'shards');
  using images = await openData(at('data/images'), { resize: '9x8', mean: [0.5], std: [0.25] });
  const { columns, classes } = await shard(images, folder, { rowsPerShard: 4 });
  for (const { shards, scale } of columns) {
    for (const { file, bytes, sha256 } of [...shards, ...(scale ? [scale] : [])]) {
      const content = readFileSync(join(folder, file));
      expect([content.length, createHash('sha256').update(content).digest('hex')]).toEqual([bytes, sha256]);
    }
  }
  const [first] = columns;
  const [pixels, scale] = [first?.shards[0]?.file ?? '', first?.scale?.file ?? ''].map((file) => join(folder, file));
  const stored = await decodeNpy(readFileSync(pixels ?? ''));
  expect([stored.dtype, stored.dims]).toEqual(['uint8', [4, 3, 9, 8]]);
  const table = (await decodeNpy(readFileSync(scale ?? ''))).data;
  const numbers = Float32Array.from(stored.data as Uint8Array, (byte, i) => {
    return Number(table[256 * (Math.floor(i / 72) % 3) + byte]);
  });
  expect((await images.unnamed?.read(0, 4))?.data).toEqual(numbers);
  expect(classes.names).toEqual(['Red', 'blue', 'zebra']);
  expect(classes.counts).toEqual(['Red', 'blue', 'zebra'].map((name) => readdirSync(at(`data/images/${name}`)).length));
});

it('the same data make the same files', async () => {
  const [a, b] = [await made(), await made()];
  for (const file of readdirSync(a.folder)) {
    expect(readFileSync(join(b.folder, file))).toEqual(readFileSync(join(a.folder, file)));
  }
});

async function refusal(folder: string): Promise<string> {
  try {
    using opened = await openData(folder);
    for (const column of opened.columns.values()) await column.read(0, 4);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'nothing was refused';
}

describe('a folder that was changed is refused, with the file and what to do', () => {
  const shardOf = (folder: string): string => join(folder, '0-double-00001.npy');
  const AGAIN = 'copy it again, or make the shards again from their data.';
  const CHANGES: Readonly<Record<string, readonly [(folder: string) => void, RegExp]>> = {
    'one bit': [
      (folder) => {
        const bytes = readFileSync(shardOf(folder));
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        writeFileSync(shardOf(folder), bytes);
      },
      /0-double-00001\.npy\] expected SHA-256 [0-9a-f]{12}…, as the index records, found [0-9a-f]{12}…\. /,
    ],
    'one byte more': [
      (folder) => appendFileSync(shardOf(folder), 'x'),
      /0-double-00001\.npy\] expected 144 bytes, as the index records, found 145\. /,
    ],
    'a file gone': [(folder) => rmSync(shardOf(folder)), /0-double-00001\.npy\] expected .*, found no such file\. /],
    'two files exchanged': [
      (folder) => {
        const [a, b] = [join(folder, '4-words-00000-ends.npy'), join(folder, 'x')];
        copyFileSync(a, b);
        copyFileSync(join(folder, '2-long-00000.npy'), a);
        renameSync(b, join(folder, '2-long-00000.npy'));
      },
      /-00000(-ends)?\.npy\] expected/,
    ],
  };
  it.each(Object.entries(CHANGES))('%s', async (_name, [change, expected]) => {
    const { folder } = await made();
    change(folder);
    const message = await refusal(folder);
    expect(message).toMatch(expected);
    expect(message).toContain(AGAIN);
  });

  const index = (edit: (found: ShardIndex) => unknown) => async (): Promise<string> => {
    const { folder, index: found } = await made();
    writeFileSync(join(folder, 'shards.json'), JSON.stringify(edit(found)));
    return refusal(folder);
  };
  it.each([
    ['another version', (found: ShardIndex) => ({ ...found, version: 2 }), 'expected version 1 of the format, found 2'],
    ['another file', () => ({}), 'expected an index of shards'],
    ['a wrong type', (found: ShardIndex) => ({ ...found, rows: 'x' }), 'expected a valid rows, found "x"'],
    [
      'a way out of the folder',
      (found: ShardIndex) => JSON.parse(JSON.stringify(found).replace('0-double-00000.npy', '../x.npy')),
      'expected a valid columns',
    ],
    [
      'rows that no shard has',
      (found: ShardIndex) => ({ ...found, rows: 7 }),
      'expected shards of 3, 3, 1 rows in column',
    ],
  ])('an index with %s', async (_name, edit, expected) => {
    expect(await index(edit)()).toContain(expected);
  });

  it('an index cut short', async () => {
    const { folder } = await made();
    writeFileSync(join(folder, 'shards.json'), '{"format":');
    expect(await refusal(folder)).toContain('shards.json] expected JSON');
  });
});

it('shards that nobody reads are not read', async () => {
  const { folder } = await made();
  const path = join(folder, '0-double-00001.npy');
  const bytes = readFileSync(path);
  bytes[bytes.length - 1] = 1;
  writeFileSync(path, bytes);
  using opened = await openData(folder);
  expect((await opened.columns.get('double')?.read(0, 3))?.dims).toEqual([3, 2]);
  await expect(opened.columns.get('double')?.read(2, 2)).rejects.toMatchObject({ code: 'shard-changed' });
});

it('a folder is written whole or not at all, and only shards give way', async () => {
  const { folder, index } = await made();
  const above = join(folder, '..');
  using data = fromTensors(TENSORS);
  await expect(shard(data, folder)).rejects.toMatchObject({ code: 'output-exists' });
  expect((await shard(data, folder, { rowsPerShard: 2, force: true })).rowsPerShard).toBe(2);
  const read = async (): Promise<never> => {
    throw new Error('no row');
  };
  const labels = { dtype: 'int64', dims: [4], read } as const;
  const broken: Dataset = { name: 'broken', columns: new Map([['labels', labels]]), unnamed: undefined, close() {} };
  await expect(shard(broken, folder, { force: true, rowsPerShard: 2 })).rejects.toThrow('no row');
  const stopped = { signal: AbortSignal.abort(new Error('enough')), force: true, rowsPerShard: 2 };
  await expect(shard(data, folder, stopped)).rejects.toThrow('enough');
  expect(readdirSync(above)).toEqual(['shards']);
  using still = await openData(folder);
  expect(await still.columns.get('long')?.read(0, 4)).toEqual(TENSORS.long);
  const own = mkdtempSync(join(above, 'own-'));
  await expect(shard(data, own, { force: true })).rejects.toThrow('found something else');
  expect(existsSync(own)).toBe(true);
  expect(index.rowsPerShard).toBe(3);
});

it('classes cannot be ordered twice, and options that shaped the shards are refused', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'data.csv');
  writeFileSync(path, 'a,label\n1,cat\n2,dog\n3,cat\n');
  using plain = await openData(path);
  using ordered = await openData(path, { classes: ['dog', 'cat'] });
  await shard(plain, join(folder, 'plain'));
  await shard(ordered, join(folder, 'ordered'));
  using late = await openData(join(folder, 'plain'), { classes: ['dog', 'cat'] });
  expect(await late.columns.get('labels')?.read(0, 3)).toEqual(await ordered.columns.get('labels')?.read(0, 3));
  using same = await openData(join(folder, 'ordered'), { classes: ['dog', 'cat'] });
  expect(same.classNames).toEqual(['dog', 'cat']);
  await expect(openData(join(folder, 'ordered'), { classes: ['cat', 'dog'] })).rejects.toThrow('dog, cat');
  await expect(openData(join(folder, 'plain'), { drop: ['a'] })).rejects.toMatchObject({ code: 'unused-data-option' });
});
