import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteFile } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { labelsOf, openData } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

async function numbersOf(path: string): Promise<{ features: number[]; labels: number[]; names: unknown }> {
  using data = await openData(path);
  const size = data.unnamed?.dims[0] ?? 0;
  const tensor = await data.unnamed?.read(0, size);
  const labels = Array.from(await labelsOf(data, 9), Number);
  return { features: Array.from(tensor?.data ?? [], Number), labels, names: data.classNames };
}

const PARTS = {
  'part-1.csv': 'a,b,label\n1,2,x\n3,4,z\n',
  'part-2.csv': 'label,b,a\ny,6,5\n',
  'other.csv': 'a,b,label\n9,9,x\n',
};
const JOINED = { features: [1, 2, 3, 4, 5, 6], labels: [0, 2, 1], names: ['x', 'y', 'z'] };

it('a pattern and a list: rows in the order of the files, columns by name, classes of all of them', async () => {
  const folder = folderOf(PARTS);
  expect(await numbersOf(join(folder, 'part-*.csv'))).toEqual(JOINED);
  expect(await numbersOf(join(folder, 'part-?.csv'))).toEqual(JOINED);
  expect(await numbersOf(`${folder}/part-1.csv,${folder}/part-2.csv`)).toEqual(JOINED);
  using data = await openData(join(folder, 'part-*.csv'));
  expect(data.notes?.[0]).toContain('part-*.csv: 2 files, ');
});

it('patterns in folders, and Parquet', async () => {
  const folder = folderOf({ 'a/x.csv': 'a,label\n1,0\n', 'b/x.csv': 'a,label\n2,1\n', 'b/y.csv': 'a,label\n3,1\n' });
  expect((await numbersOf(`${folder}/*/x.csv`)).features).toEqual([1, 2]);
  for (const [i, a] of [
    [1, [1, 2]],
    [2, [3]],
  ] as const) {
    const columnData = [
      { name: 'a', data: [...a], type: 'DOUBLE' as const },
      { name: 'label', data: a.map(() => i), type: 'INT32' as const },
    ];
    parquetWriteFile({ filename: join(folder, `${i}.parquet`), columnData });
  }
  expect(await numbersOf(`${folder}/*.parquet`)).toEqual({ features: [1, 2, 3], labels: [1, 1, 2], names: undefined });
});

it('a fault is named with its file and the row there', async () => {
  const folder = folderOf({ ...PARTS, 'part-3.csv': 'a,b,label\n7,8,x\n7,oops,x\n' });
  await expect(openData(`${folder}/part-*.csv`)).rejects.toThrow('part-3.csv, row 1 (line 3), column b]');
  writeFileSync(join(folder, 'part-3.csv'), 'a,c,label\n7,8,x\n');
  await expect(openData(`${folder}/part-*.csv`)).rejects.toThrow('part-3.csv] expected the columns of');
});

it('nothing that matches, files of several kinds, and several that are no tables are refused', async () => {
  const folder = folderOf({ ...PARTS, 'part-1.tsv': 'a\n', '1.npz': '', '2.npz': '' });
  await expect(openData(`${folder}/none-*.csv`)).rejects.toThrow('expected files that match, found none');
  await expect(openData(`${folder}/part-*`)).rejects.toThrow('expected files that end in .csv, found');
  await expect(openData(`${folder}/*.npz`)).rejects.toThrow('expected several files of a table');
  const twice = `${folder}/part-1.csv,${folder}/part-?.csv`;
  await expect(openData(twice)).rejects.toThrow('part-1.csv twice');
  await expect(openData(`${folder}/none.csv`)).rejects.toThrow('ENOENT');
});
