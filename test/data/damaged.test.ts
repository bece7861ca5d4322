import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { type FileMetaData, parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import { codecs } from '../../src/data/parquet/codecs.ts';
import { checkZstd } from '../../src/data/parquet/zstdFrame.ts';
import { LossgraftError } from '../../src/errors.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const DATA = join(ROOT, 'fixtures/data');
const TABLES = join(DATA, 'tables');
const NUMPY = join(ROOT, 'test/data/numpy');

/** Of one attempt; the whole files take some milliseconds. */
const MAX_SECONDS = 5;
/** Of all attempts on a file, at the highest moment; a large part is garbage that was not collected yet. */
const MAX_GROWTH = 150 * 2 ** 20;

/** Numerical Recipes' generator: the same changes in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A copy that is cut short or lacks some bytes, or in which up to four bytes are others: anything, or a value that means much. */
function damaged(whole: Uint8Array, random: (below: number) => number): Uint8Array {
  const [kind, at] = [random(10), random(whole.length)];
  if (kind === 0) return whole.slice(0, at);
  if (kind === 1) return Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1 + random(64))]);
  const bytes = Uint8Array.from(whole);
  for (let left = 1 + random(4); left > 0; left--) {
    const place = random(whole.length);
    const bit = (bytes[place] ?? 0) ^ (1 << random(8));
    bytes[place] = [bit, bit, random(256), 0, 0x7f, 0x80, 0xff][random(7)] ?? bit;
  }
  return bytes;
}

/** Rows that were read; an error must be a named one that says which file. */
async function rowsOf(path: string, options: DataOptions): Promise<number | 'refused'> {
  let data: Dataset | undefined;
  try {
    data = await openData(path, options);
    const columns = [data.unnamed, ...data.columns.values()].flatMap((column) => column ?? []);
    for (const column of columns) await column.read(0, column.dims[0] ?? 1);
    return columns[0]?.dims[0] ?? 1;
  } catch (error) {
    expect(error).toBeInstanceOf(LossgraftError);
    expect(String(error)).toContain(path);
    return 'refused';
  } finally {
    data?.close();
  }
}

interface Attempts {
  readonly path: string;
  readonly options?: DataOptions;
  readonly runs: number;
  /** What its header says may be another number without being damaged: of NumPy's shapes, for one. */
  readonly rows?: number;
}

/** Changes a file so many times. Returns how often it was read all the same. */
async function attempt({ path, options = {}, runs, rows }: Attempts): Promise<number> {
  const whole = readFileSync(path);
  const copy = join(temporaryFolder(), basename(path));
  copyFileSync(path, copy);
  await rowsOf(copy, options);
  const random = generator(runs);
  const before = process.resourceUsage().maxRSS;
  let read = 0;
  for (let i = 0; i < runs; i++) {
    writeFileSync(copy, damaged(whole, random));
    const start = process.cpuUsage();
    const found = await rowsOf(copy, options);
    expect(process.cpuUsage(start).user / 1e6, `attempt ${i}`).toBeLessThan(MAX_SECONDS);
    if (found === 'refused') continue;
    read++;
    if (rows !== undefined) expect(found, `attempt ${i}`).toBe(rows);
  }
  expect(2 ** 10 * (process.resourceUsage().maxRSS - before)).toBeLessThan(MAX_GROWTH);
  return read;
}

describe('damaged files give their rows or a named error, in bounded time and memory', () => {
  const numbers = ['small', 'count', 'double', 'flag', 'level'];
  const bySpecies: DataOptions = { labelColumn: 'species', featureColumns: [...numbers, 'single'] };
  it.each(['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4', 'v2', 'plain', 'encodings'])(
    '%s.parquet',
    async (name) => {
      const read = await attempt({ path: join(TABLES, `${name}.parquet`), options: bySpecies, runs: 350, rows: 257 });
      expect(read).toBeGreaterThan(0);
      expect(read).toBeLessThan(350);
    },
  );

  it.each([
    ['missing', { labelColumn: 'index', featureColumns: numbers }, 257],
    ['missing', { labelColumn: 'index', featureColumns: ['single'] }, 257],
    ['runs', {}, 2049],
  ] as const)('%s.parquet %j', async (name, options, rows) => {
    await attempt({ path: join(TABLES, `${name}.parquet`), options, runs: 200, rows });
  });

  it.each(['f4-little-C', 'i8-big-F', 'U3-little-C', 'version3'])('%s.npy', async (name) => {
    await attempt({ path: join(NUMPY, `${name}.npy`), runs: 500 });
  });

  it.each(['stored', 'deflated'])('%s.npz', async (name) => {
    await attempt({ path: join(NUMPY, `${name}.npz`), runs: 700 });
  });

  it.each(['t10k-images.idx3-ubyte', 'train-images-idx3-ubyte.gz'])('%s', async (name) => {
    const labels = join(DATA, 'idx', name.replace('images', 'labels').replace('idx3', 'idx1'));
    await attempt({ path: join(DATA, 'idx', name), options: { labels }, runs: 700 });
  });

  it.each(['t10k-labels.idx1-ubyte', 'train-labels-idx1-ubyte.gz'])('%s, as labels', async (name) => {
    const images = join(DATA, 'idx', name.replace('labels', 'images').replace('idx1', 'idx3'));
    const whole = readFileSync(join(DATA, 'idx', name));
    const labels = join(temporaryFolder(), name);
    const random = generator(1);
    for (let i = 0; i < 300; i++) {
      writeFileSync(labels, damaged(whole, random));
      const error = await openData(images, { labels }).then(
        (data) => data.close(),
        (thrown: unknown) => thrown,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(LossgraftError);
    }
  });
});

/** The file's bytes with the first bit flipped that makes of its footer what is asked for. */
function flippedSo(path: string, isWanted: (metadata: FileMetaData) => boolean): Uint8Array {
  const bytes = Uint8Array.from(readFileSync(path));
  const end = bytes.length - 8;
  const footer = new DataView(bytes.buffer).getUint32(end, true);
  for (let bit = 8 * (end - footer); bit < 8 * end; bit++) {
    const flip = (): void => {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    };
    flip();
    try {
      if (isWanted(parquetMetadata(bytes.buffer))) return bytes;
    } catch {
      // No footer any more.
    }
    flip();
  }
  throw new Error('No bit does that');
}

async function refusal(bytes: Uint8Array): Promise<unknown> {
  const path = join(temporaryFolder(), 'x.parquet');
  writeFileSync(path, bytes);
  const options = { labelColumn: 'index', featureColumns: ['small', 'count'] };
  return openData(path, options).then(
    (data) => data.close(),
    (error: unknown) => error,
  );
}

describe('a footer that lies', () => {
  it('levels where no value can be missing are not taken for values', async () => {
    const bytes = flippedSo(join(TABLES, 'v2.parquet'), ({ schema }) => schema[2]?.repetition_type === 'REQUIRED');
    expect(await refusal(bytes)).toMatchObject({
      code: 'bad-parquet',
      message: expect.stringMatching(/levels of \d+ bytes in a column without missing values/),
    });
  });

  it('a column is there once, by a name of its own', async () => {
    const whole = readFileSync(join(TABLES, 'none.parquet'));
    const text = whole.toString('latin1');
    const places = [...text.matchAll(/count/g)].map(({ index }) => index).filter((index) => whole[index - 1] === 5);
    const rename = (from: number): Uint8Array => {
      const bytes = Uint8Array.from(whole);
      for (const place of places.slice(from)) bytes.set(Buffer.from('small'), place);
      return bytes;
    };
    expect(places.length).toBeGreaterThan(3);
    expect(await refusal(rename(0))).toMatchObject({ message: expect.stringMatching(/two called small/) });
    expect(await refusal(rename(1))).toMatchObject({
      message: expect.stringMatching(/each column once, found small again/),
    });
  });

  it('a dictionary does not lie behind its values', async () => {
    const isBehind = ({ row_groups: [group] }: FileMetaData): boolean => {
      const { dictionary_page_offset: dictionary = 0n, data_page_offset: data } = group?.columns[1]?.meta_data ?? {};
      return data !== undefined && data > 4n && dictionary > data && dictionary < 2000n;
    };
    expect(await refusal(flippedSo(join(TABLES, 'none.parquet'), isBehind))).toMatchObject({
      code: 'bad-parquet',
      message: expect.stringMatching(/row group 0, column count\] expected pages within the file/),
    });
  });
});

describe('pages that inflate to more than they say', () => {
  const bomb = new Uint8Array(2 ** 27);
  it.each([
    ['GZIP', gzipSync(bomb)],
    ['BROTLI', brotliCompressSync(bomb)],
  ] as const)('%s', (codec, bytes) => {
    expect(bytes.length).toBeLessThan(2 ** 18);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => codecs[codec]?.(bytes, 1000)).toThrow(/larger than 1000 bytes/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  it('gzip whose checksum is another', () => {
    const bytes = gzipSync(Buffer.from('many values'));
    expect(codecs.GZIP?.(bytes, 11)).toEqual(Buffer.from('many values'));
    bytes[bytes.length - 8] = (bytes[bytes.length - 8] ?? 0) ^ 1;
    expect(() => codecs.GZIP?.(bytes, 11)).toThrow(/data check/);
  });

  // RFC 8878: magic, frame header (flags; window or size), blocks of three bytes of header: the last one is marked by bit 0.
  const frame = (...bytes: number[]): Uint8Array => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, ...bytes);
  const empty = [0, 0, 0];
  it.each([
    ['is sound', frame(0x20, 5, 0x29, 0, 0, 1, 2, 3, 4, 5), undefined],
    ['has a window of 1 GiB', frame(0, 0xa0, 0x29, 0, 0, 1, 2, 3, 4, 5), /a window of 1073741824 bytes/],
    ['has a window of 8 MiB', frame(0, 0x68, 0x29, 0, 0, 1, 2, 3, 4, 5), undefined],
    ['says that it is larger', frame(0x20, 6, 0x29, 0, 0, 1, 2, 3, 4, 5, 6), /6 bytes in the Zstandard frame, 5 in/],
    [
      'has a thousand empty blocks',
      frame(0, 0, ...Array.from({ length: 1000 }, () => empty).flat(), 1, 0, 0),
      /1001 Zstandard blocks/,
    ],
    ['ends within a block', frame(0x20, 5, 0x29, 0, 0, 1, 2, 3), /an end within a Zstandard block/],
    ['is something else', Uint8Array.of(0x28, 0xb5, 0x2f, 0xfc, 0), /start no Zstandard frame/],
  ])('a frame of Zstandard that %s', (_, bytes, refused) => {
    if (refused) expect(() => checkZstd(bytes, 5)).toThrow(refused);
    else expect([...(codecs.ZSTD?.(bytes, 5) ?? [])]).toEqual([1, 2, 3, 4, 5]);
  });
});
