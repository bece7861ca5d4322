import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { openNpz, writeNpz } from '../../src/data/numpy/npz.ts';
import { random } from '../../src/data/random.ts';
import type { Tensor } from '../../src/tensor.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');
const COUNT = 60;
/** Grey levels 0 to 16, of 8 × 8 pixels; the model reads sixteenths. */
let pixels: Uint8Array;
let labels: number[];

beforeAll(async () => {
  const npz = await openNpz(join(DIGITS, 'test.npz'));
  const read = async (name: string): Promise<number[]> =>
    Array.from((await npz.columns.get(name)?.read(0, COUNT))?.data ?? [], Number);
  pixels = Uint8Array.from(await read('images'), (value) => Math.round(value * 16));
  labels = await read('labels');
  npz.close();
});

async function augmented(model: string): Promise<string> {
  const output = join(temporaryFolder(), 'net.onnx');
  const result = await lossgraft(['augment', join(ROOT, 'fixtures', model), '-o', output, '--loss', 'ce']);
  expect(result.stderr).toBe('');
  return output;
}

/** Losses by row. */
async function losses(args: readonly string[]): Promise<{ labels: number[]; losses: number[]; notes: string }> {
  const { code, stdout, stderr } = await lossgraft(['run', ...args]);
  expect(stderr).not.toMatch(/^lossgraft:/m);
  expect(code).toBe(0);
  const rows = stdout.trim().split('\n').slice(1);
  const cells = rows.map((row) => row.split(',').map(Number));
  return {
    labels: cells.map(([, label = -1]) => label),
    losses: cells.map(([, , loss = Number.NaN]) => loss),
    notes: stderr,
  };
}

function expectClose(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  for (const [i, value] of found.entries()) expect(Math.abs(value - (wanted[i] ?? 0)), `row ${i}`).toBeLessThan(1e-4);
}

describe('run gives the same losses from every kind of file', () => {
  it('digits as .npz, as IDX, and as PNG files', async () => {
    const net = await augmented('digits/model.onnx');
    const folder = temporaryFolder();
    const data = Float32Array.from(pixels, (value) => value / 16);
    await writeNpz(join(folder, 'digits.npz'), {
      images: { dtype: 'float32', dims: [COUNT, 1, 8, 8], data },
      labels: { dtype: 'int64', dims: [COUNT], data: BigInt64Array.from(labels, BigInt) },
    });
    const wanted = await losses([net, '--data', join(folder, 'digits.npz')]);

    const std = ['--std', String(16 / 255)];
    const idx = (...dims: number[]): Buffer => {
      const head = Buffer.alloc(4 + 4 * dims.length);
      head.set([0, 0, 8, dims.length]);
      for (const [i, dim] of dims.entries()) head.writeUInt32BE(dim, 4 + 4 * i);
      return head;
    };
    writeFileSync(join(folder, 'train-images-idx3-ubyte'), Buffer.concat([idx(COUNT, 8, 8), pixels]));
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), Buffer.concat([idx(COUNT), Buffer.from(labels)]));
    const fromIdx = await losses([net, '--data', folder, ...std]);
    expect(fromIdx.labels).toEqual(labels);
    expectClose(fromIdx.losses, wanted.losses);
    expect(fromIdx.notes).toMatch(/note: train-images-idx3-ubyte of /);

    const images = join(folder, 'png');
    const order = labels.map((label, row) => ({ label, row })).sort((a, b) => a.label - b.label || a.row - b.row);
    for (const { label, row } of order) {
      mkdirSync(join(images, `${label}`), { recursive: true });
      const raw = { width: 8, height: 8, channels: 1 } as const;
      const image = sharp(pixels.subarray(row * 64, row * 64 + 64), { raw }).toColourspace('b-w');
      await image.png().toFile(join(images, `${label}`, `${String(row).padStart(3, '0')}.png`));
    }
    const names = '0,1,2,3,4,5,6,7,8,9';
    const fromImages = await losses([net, '--data', images, '--channels', '1', '--classes', names, ...std]);
    expect(fromImages.labels).toEqual(order.map(({ label }) => label));
    expectClose(
      fromImages.losses,
      order.map(({ row }) => wanted.losses[row] ?? Number.NaN),
    );
  });

  it('two inputs as .npz and as CSV', async () => {
    const net = await augmented('hosts/two-inputs-opset17.onnx');
    const folder = temporaryFolder();
    const { below } = random(0);
    const table = Array.from({ length: 20 }, () => Array.from({ length: 12 }, () => below(2000) / 1000 - 1));
    const classes = table.map(() => below(4));
    const part = (from: number): Tensor => ({
      dtype: 'float32',
      dims: [20, 6],
      data: Float32Array.from(table.flatMap((row) => row.slice(from, from + 6))),
    });
    await writeNpz(join(folder, 'x.npz'), {
      x: part(0),
      x2: part(6),
      labels: { dtype: 'int64', dims: [20], data: BigInt64Array.from(classes, BigInt) },
    });
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    const lines = table.map((row, i) => [`class ${classes[i]}`, ...row].join('\t'));
    writeFileSync(join(folder, 'x.tsv'), [['kind', ...names].join('\t'), ...lines].join('\n'));
    const columns = `x=${names.slice(0, 6).join(',')};x2=${names.slice(6).join(',')}`;
    const args = [net, '--data', join(folder, 'x.tsv'), '--label-column', 'kind', '--feature-columns', columns];
    const wanted = await losses([net, '--data', join(folder, 'x.npz')]);
    const kinds = ['--classes', 'class 0,class 1,class 2,class 3'];
    const found = await losses([...args, ...kinds]);
    expect(found.labels).toEqual(classes);
    expect(found.losses).toEqual(wanted.losses);

    writeFileSync(join(folder, 'bare.tsv'), lines.join('\n'));
    const numbered = 'x=1,2,3,4,5,6;x2=7,8,9,10,11,12';
    const bare = ['--no-header', '--label-column', '0', '--feature-columns', numbered];
    const unnamed = await losses([net, '--data', join(folder, 'bare.tsv'), ...bare, ...kinds]);
    expect(unnamed.losses).toEqual(wanted.losses);
  });
});

describe('options that cannot be meant', () => {
  const csv = join(ROOT, 'fixtures/data/tables/plain.csv');
  it.each([
    [['--feature-columns', 'x=a;b'], /INPUT=COLUMN/],
    [['--feature-columns', 'x=a;x=b'], /each input once, and found "x=a;x=b"/],
    [['--mean', '0.5,a'], /numbers separated by commas/],
    [['--resample', 'cubic'], /Choices/],
    [['--crop', '8'], /a CSV of numbers: options .*, found the option crop/],
  ])('%j', async (args, shown) => {
    const { code, stderr } = await lossgraft(['run', 'x.onnx', '--data', csv, ...args]);
    expect(stderr).toMatch(shown);
    expect(code).toBe(2);
  });

  it('a column of labels that the table does not have', async () => {
    const model = join(ROOT, 'fixtures/digits/model.onnx');
    const { code, stderr } = await lossgraft(['evaluate', model, '--data', csv, '--label-column', 'kind']);
    expect(stderr).toMatch(/a column among small, count/);
    expect(code).toBe(2);
  });
});
