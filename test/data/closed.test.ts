import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Dataset, fromTensors } from '../../src/data/dataset.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import { preparedFor } from '../../src/data/prepared.ts';
import { selectRows } from '../../src/data/select.ts';
import { openFile } from '../../src/files/source.ts';
import { ROOT } from '../support/cli.ts';

const DATA = join(ROOT, 'fixtures/data');
const NUMPY = join(ROOT, 'test/data/numpy');
const bySpecies = { labelColumn: 'species', featureColumns: ['small', 'count'] };
const tokenizer = join(DATA, 'tokenizers/wordpiece.json');
const tensors = { x: { dtype: 'float32', dims: [2, 1], data: Float32Array.of(1, 2) } } as const;
const open = (path: string, options?: DataOptions) => () => openData(path, options);

const KINDS: readonly (readonly [string, () => Promise<Dataset>])[] = [
  ['.npz, deflated', open(join(NUMPY, 'deflated.npz'))],
  ['.npz, stored', open(join(NUMPY, 'stored.npz'))],
  ['.npy', open(join(NUMPY, 'f4-little-C.npy'))],
  ['CSV', open(join(DATA, 'tables/plain.csv'), { labelColumn: 'species' })],
  ['Parquet', open(join(DATA, 'tables/none.parquet'), bySpecies)],
  ['IDX', open(join(DATA, 'idx/t10k-images.idx3-ubyte'))],
  ['IDX in gzip', open(join(DATA, 'idx/train-images-idx3-ubyte.gz'))],
  ['images', open(join(DATA, 'images'), { resize: '8x8' })],
  ['a table of texts', open(join(DATA, 'texts.csv'), { tokenizer, maxLength: 16 })],
  ['a folder of texts', open(join(DATA, 'texts'), { tokenizer, maxLength: 16 })],
  ['tensors', async () => fromTensors(tensors)],
  ['rows of others', async () => selectRows(fromTensors(tensors), Uint32Array.of(1))],
];

describe('data that were closed give no rows', () => {
  it.each(KINDS)('%s', async (_, opening) => {
    const data = await opening();
    const columns = [...data.columns.values(), ...(data.unnamed ? [data.unnamed] : [])];
    expect(columns.length).toBeGreaterThan(0);
    for (const column of columns) await column.read(0, 1);
    await data.showRow?.(0);
    data.close();
    data.close();
    for (const column of columns) await expect(column.read(0, 1)).rejects.toMatchObject({ code: 'data-closed' });
    for (const column of columns.filter((one) => 'whole' in one))
      expect(() => column.whole).toThrow(expect.objectContaining({ code: 'data-closed' }));
    if (data.showRow) expect(() => data.showRow?.(0)).toThrow(expect.objectContaining({ code: 'data-closed' }));
  });

  it('a table whose cells became the numbers of a model', async () => {
    const data = await openData(join(DATA, 'tables/plain.csv'), { labelColumn: 'species' });
    const ports = [{ name: 'x', dtype: 'float32', shape: [undefined, 5] }] as const;
    const { table, cellsOf } = data;
    const prepared = table === undefined ? undefined : preparedFor(data, ports);
    await prepared?.unnamed?.read(0, 1);
    data.close();
    expect(prepared).toBeDefined();
    await expect(prepared?.unnamed?.read(0, 1)).rejects.toMatchObject({ code: 'data-closed' });
    expect(() => table?.prepare(ports, undefined)).toThrow(expect.objectContaining({ code: 'data-closed' }));
    expect(() => cellsOf?.(0)).toThrow(expect.objectContaining({ code: 'data-closed' }));
  });
});

it('a file that was closed is read no more, from its window neither', () => {
  const path = join(NUMPY, 'f4-little-C.npy');
  const file = openFile(path);
  file.read(0, 4);
  file.close();
  expect(() => file.read(0, 4)).toThrow(expect.objectContaining({ code: 'file-closed' }));
  expect(() => file.readInto(new Uint8Array(4), 0)).toThrow(expect.objectContaining({ code: 'file-closed' }));
});
