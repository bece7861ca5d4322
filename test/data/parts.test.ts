import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { dataParts } from '../../src/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDERS = join(ROOT, 'fixtures/folders');

function folderOf(...paths: string[]): string {
  const folder = temporaryFolder();
  for (const path of paths) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  return folder;
}

it.each([
  ['val', 'test'],
  ['valid', 'testing'],
  ['validation', 'test'],
  ['dev', 'test'],
])('train, %s and %s', (validation, test) => {
  const folder = folderOf(`train/a/1.png`, `${validation}/a/1.png`, `${test}/a/1.png`, 'README.md');
  const at = (name: string): string => join(folder, name);
  expect(dataParts(folder)).toEqual({ data: at('train'), validation: at(validation), test: at(test) });
});

it('tables of these names; not what has other classes, or classes of these names', () => {
  const tables = folderOf('train.csv', 'test.csv', 'notes.txt');
  expect(dataParts(tables)).toEqual({ data: join(tables, 'train.csv'), test: join(tables, 'test.csv') });
  expect(dataParts(folderOf('train/1.png', 'test/1.png'))).toBeUndefined();
  expect(dataParts(folderOf('train/a/1.png', 'car/1.png'))).toBeUndefined();
  expect(dataParts(folderOf('train.csv', 'prices.csv'))).toBeUndefined();
  expect(() => dataParts(folderOf('train/a/1.png', 'val/a/1.png', 'dev/a/1.png'))).toThrow('found dev and val');
});

it('train takes the parts as such, and says so before it begins', async () => {
  const cwd = temporaryFolder();
  for (const part of ['train', 'valid', 'test'])
    cpSync(join(FOLDERS, 'images'), join(cwd, 'data', part), { recursive: true });
  cpSync(join(FOLDERS, 'vit'), join(cwd, 'vit'), { recursive: true });
  const args = [
    'train',
    'vit',
    '--data',
    'data',
    '--epochs',
    '1',
    '--loss',
    'ce',
    '--learning-rate',
    '0.01',
    '--write-anyway',
    '--json',
  ];
  const { code, stdout, stderr } = await lossgraft([...args, '--no-report'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stderr).toContain(
    'data is divided: data/train to train, data/valid to choose the epoch, data/test for the final test',
  );
  const { classCounts, before } = JSON.parse(stdout);
  expect(classCounts).toEqual([16, 12, 8, 4]);
  expect(before.test.samples).toBe(40);
});
