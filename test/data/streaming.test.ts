import { execFile } from 'node:child_process';
import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { formatNpyHeader } from '../../src/data/numpy/npyHeader.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const INDEX = pathToFileURL(join(ROOT, 'dist/src/index.js')).href;
const MEGABYTE = 2 ** 20;

/** Reads batches all over a data set in a process of its own, and gives the most memory that it took, in MiB. */
async function peak(path: string, options: object, batch: number): Promise<{ rows: number; megabytes: number }> {
  const script = `
    import { openData } from ${JSON.stringify(INDEX)};
    const data = await openData(${JSON.stringify(path)}, ${JSON.stringify(options)});
    const [rows] = data.unnamed.dims;
    for (let i = 0; i < 24; i++) await data.unnamed.read(Math.floor((i * 0.38 % 1) * (rows - ${batch})), ${batch});
    console.log(JSON.stringify({ rows, megabytes: process.resourceUsage().maxRSS / 1024 }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  return JSON.parse(stdout);
}

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
    const { rows, megabytes } = await peak(images, {}, 16);
    expect(rows).toBe(5000);
    expect(megabytes).toBeLessThan(600);
  });

  it('.npy', async () => {
    const rows = 5000;
    const head = formatNpyHeader('<f4', [rows, 512, 512]);
    const path = sparse(join(temporaryFolder(), 'x.npy'), head, head.length + rows * MEGABYTE);
    const found = await peak(path, {}, 16);
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
    const { rows, megabytes } = await peak(folder, { resize: '64', crop: '64' }, 4);
    expect(rows).toBe(count);
    expect(megabytes).toBeLessThan(600);
  });
});

it('a CSV becomes rows in a temporary file that nobody sees', async () => {
  const path = join(temporaryFolder(), 'wide.csv');
  const names = Array.from({ length: 1000 }, (_, i) => `c${i}`);
  const row = names.map((_, i) => i).join(',');
  writeFileSync(path, `${names.join(',')},label\n${`${row},1\n`.repeat(20_000)}`);
  const { rows, megabytes } = await peak(path, {}, 100);
  expect(rows).toBe(20_000);
  expect(megabytes).toBeLessThan(400);
});
