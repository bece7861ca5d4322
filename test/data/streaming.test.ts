import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formatNpyHeader } from '../../src/data/numpy/npyHeader.ts';
import { temporaryFolder } from '../support/cli.ts';
import { readMeasured } from '../support/measured.ts';

const MEGABYTE = 2 ** 20;

/** A file with a head, and zeros up to its size that take no room on the disk. */
function sparse(path: string, head: Uint8Array, size: number): string {
  const fd = openSync(path, 'w');
  writeSync(fd, head);
  ftruncateSync(fd, size);
  closeSync(fd);
  return path;
}

describe('data larger than the memory allowed: 5 GB, at most 600 MiB', () => {
  it('IDX', async () => {
    const folder = temporaryFolder();
    const head = Buffer.alloc(16);
    head.set([0, 0, 8, 3]);
    for (const [i, size] of [5000, 1024, 1024].entries()) head.writeUInt32BE(size, 4 + 4 * i);
    const images = sparse(join(folder, 'train-images-idx3-ubyte'), head, 16 + 5000 * MEGABYTE);
    const labels = Buffer.alloc(8);
    labels.set([0, 0, 8, 1]);
    labels.writeUInt32BE(5000, 4);
    sparse(join(folder, 'train-labels-idx1-ubyte'), labels, 8 + 5000);
    const { rows, megabytes } = await readMeasured(images, {}, 16);
    expect(rows).toBe(5000);
    expect(megabytes).toBeLessThan(600);
  });

  it('.npy', async () => {
    const rows = 5000;
    const head = formatNpyHeader('<f4', [rows, 512, 512]);
    const path = sparse(join(temporaryFolder(), 'x.npy'), head, head.length + rows * MEGABYTE);
    const found = await readMeasured(path, {}, 16);
    expect(found.rows).toBe(rows);
    expect(found.megabytes).toBeLessThan(600);
  });

  it('images', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a'));
    const noise = {
      width: 1600,
      height: 1200,
      channels: 3,
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    } as const;
    const bytes = await sharp({ create: { ...noise, background: '#000' } })
      .png()
      .toBuffer();
    writeFileSync(join(folder, 'a/0.png'), bytes);
    const count = Math.ceil(5e9 / bytes.length);
    for (let i = 1; i < count; i++) linkSync(join(folder, 'a/0.png'), join(folder, `a/${i}.png`));
    const { rows, megabytes } = await readMeasured(folder, { resize: '64', crop: '64' }, 4);
    expect(rows).toBe(count);
    expect(megabytes).toBeLessThan(600);
  });
});

it('a CSV becomes rows in a temporary file that nobody sees', async () => {
  const path = join(temporaryFolder(), 'wide.csv');
  const names = Array.from({ length: 1000 }, (_, i) => `c${i}`);
  const row = names.map((_, i) => i).join(',');
  writeFileSync(path, `${names.join(',')},label\n${`${row},1\n`.repeat(20_000)}`);
  const { rows, megabytes } = await readMeasured(path, {}, 100);
  expect(rows).toBe(20_000);
  expect(megabytes).toBeLessThan(400);
});
