import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { augment, open, openData, run } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDERS = join(ROOT, 'fixtures/folders');
const VIT = join(FOLDERS, 'vit');

/** By fixtures/folders/generate.py, with transformers and PyTorch. */
const { files, losses }: { files: string[]; losses: number[] } = JSON.parse(
  readFileSync(join(FOLDERS, 'expected.json'), 'utf8'),
).vit;

/** In another order than folders have. */
const rows = files.map((_, i) => (i * 7) % files.length);
const classOf = (row: number): string => files[row]?.split('/')[0] ?? '';
const pathFrom = (folder: string, row: number): string => relative(folder, join(FOLDERS, 'images', files[row] ?? ''));

async function expectLosses(
  table: string,
  options: { imageColumn?: string; labelColumn?: string } = {},
): Promise<void> {
  using model = await open(VIT);
  using data = await openData(table, { model: VIT, ...options });
  expect(data.describeRow?.(1)).toContain(files[7] ?? '');
  const { perSample } = await run(await augment(model, { loss: 'ce' }), data);
  const far = rows.map((row, i) => Math.abs((losses[row] ?? 0) - (perSample.loss_per_sample?.[i] ?? Number.NaN)));
  expect(Math.max(...far)).toBeLessThan(2e-6);
}

it('a CSV of paths below its folder, and labels: the losses that transformers has', async () => {
  const folder = temporaryFolder();
  const table = join(folder, 'list.csv');
  const lines = rows.map((row) => `${pathFrom(folder, row)},${classOf(row)}\n`);
  writeFileSync(table, `file_name,label\n${lines.join('')}`);
  await expectLosses(table);
  writeFileSync(table, `x,y\n${lines.join('')}`);
  await expectLosses(table, { imageColumn: 'x', labelColumn: 'y' });
});

it('the same in Parquet', async () => {
  const folder = temporaryFolder();
  const filename = join(folder, 'list.parquet');
  parquetWriteFile({
    filename,
    columnData: [
      { name: 'label', data: rows.map(classOf), type: 'STRING' },
      { name: 'image_path', data: rows.map((row) => pathFrom(folder, row)), type: 'STRING' },
    ],
  });
  await expectLosses(filename);
});

it('a path that leads to no image is refused with its row', async () => {
  const table = join(temporaryFolder(), 'list.csv');
  writeFileSync(table, 'path,label\nnone.png,a\n');
  await expect(openData(table, { model: VIT })).rejects.toThrow('row 0 (line 2), column path] expected the path of');
  writeFileSync(join(table, '../none.png'), 'text');
  await expect(openData(table, { model: VIT })).rejects.toThrow('none.png: other bytes');
  writeFileSync(table, 'path,label\n0.5,0\n');
  using numbers = await openData(table);
  expect(numbers.unnamed?.dims).toEqual([1, 1]);
});
