import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/images/image.ts';
import { launchChromium, type Served, serveFolder, type Visit, visit } from '../support/browser.ts';
import { ROOT } from '../support/cli.ts';

/** The page's decoder beside the one of Node, sample by sample. */

const PLATFORM = join(ROOT, 'web/platform');
const WORKER = `
import sharp from './sharp.ts';
self.onmessage = async ({ data }) => {
  const decoded = await sharp(data).toBuffer({ resolveWithObject: true });
  postMessage({ ...decoded.info, data: Array.from(decoded.data) });
};`;
const DECODE = `(base64) => new Promise((resolve, reject) => {
  const worker = new Worker('worker.js', { type: 'module' });
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  worker.postMessage(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
})`;

let folder: string;
let served: Served;
let browser: Browser;
let open: Visit;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
  await build({
    stdin: { contents: WORKER, resolveDir: PLATFORM, loader: 'ts' },
    bundle: true,
    format: 'esm',
    outfile: join(folder, 'worker.js'),
    inject: [join(PLATFORM, 'globals.ts')],
    alias: { 'node:buffer': join(PLATFORM, 'buffer.ts') },
    absWorkingDir: ROOT,
  });
  writeFileSync(join(folder, 'index.html'), '<title>images</title>');
  served = await serveFolder(folder);
  browser = await launchChromium();
  open = await visit(browser, served.url);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await served?.close();
  rmSync(folder, { recursive: true, force: true });
});

const [WIDTH, HEIGHT] = [53, 37];

/** Waves with some noise; alpha runs from 0 to 255 where it is wanted. */
function picture(channels: 1 | 3 | 4): Sharp {
  const data = new Uint8Array(WIDTH * HEIGHT * channels);
  for (let i = 0; i < WIDTH * HEIGHT; i++) {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    for (let c = 0; c < channels; c++) {
      const noise = ((i * 7919 + c * 104729) % 31) - 15;
      data[channels * i + c] = c === 3 ? (x * 5) % 256 : 128 + 90 * Math.sin(x / 6 + c) * Math.cos(y / 5) + noise;
    }
  }
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } });
}

describe('images in the page have the samples that they have in Node', () => {
  it.each<[string, () => Sharp]>([
    ['PNG', () => picture(3).png()],
    ['a grey PNG', () => picture(1).toColourspace('b-w').png()],
    ['a PNG with a palette', () => picture(3).png({ palette: true })],
    ['a transparent PNG', () => picture(4).png()],
    ['a transparent WebP', () => picture(4).webp({ lossless: true, exact: true })],
    ['a lossy WebP', () => picture(3).webp({ quality: 80 })],
    ['GIF', () => picture(3).gif()],
    ['JPEG', () => picture(3).jpeg({ quality: 85 })],
    ['a progressive JPEG', () => picture(3).jpeg({ quality: 85, progressive: true })],
    ['a JPEG with all samples of colour', () => picture(3).jpeg({ quality: 95, chromaSubsampling: '4:4:4' })],
    ['a grey JPEG', () => picture(1).toColourspace('b-w').jpeg()],
    ['a JPEG with an orientation', () => picture(3).withMetadata({ orientation: 6 }).jpeg()],
    ['a PNG with an orientation', () => picture(3).withMetadata({ orientation: 6 }).png()],
    ['a JPEG with a colour profile', () => picture(3).withIccProfile('p3').jpeg()],
  ])('%s', async (_name, encoder) => {
    const bytes = await encoder().toBuffer();
    const { width, height, data } = await decodeImage(new Uint8Array(bytes), 3, 'image');
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
    const inPage = await open.page.evaluate(`(${DECODE})("${bytes.toString('base64')}")`);
    expect(inPage).toEqual({ width, height, channels: 3, data: Array.from(data) });
  });
});
