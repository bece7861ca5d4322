import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { openData } from '../../src/data/open.ts';
import { ROOT } from '../support/cli.ts';

const zlib = vi.hoisted(() => ({ pages: 0 }));

vi.mock('node:zlib', async (original) => {
  const real = await original<typeof import('node:zlib')>();
  const unzipSync: typeof real.unzipSync = (input, options) => {
    zlib.pages++;
    return real.unzipSync(input, options);
  };
  return { ...real, unzipSync };
});
// Steps of a few rows, so that pages serve several of them.
vi.mock('../../src/data/limits.ts', async (original) => ({ ...(await original<object>()), CELLS_AT_ONCE: 40 }));

afterEach(() => {
  zlib.pages = 0;
});

it('inflates each page of a Parquet file once, however many steps its rows are decoded in', async () => {
  const options = { labelColumn: 'index', featureColumns: ['small', 'count', 'double'] };
  const data = await openData(join(ROOT, 'fixtures/data/tables/gzip.parquet'), options);
  expect(data.unnamed?.dims).toEqual([257, 3]);
  data.close();
  // Three row groups of four columns, each a dictionary and a page of data.
  expect(zlib.pages).toBe(24);
});
