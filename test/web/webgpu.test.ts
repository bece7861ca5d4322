import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainResult } from '../../src/index.ts';
import { buildPage } from '../../web/build.ts';
import { launchChromium, type Served, SWIFTSHADER, serveFolder, visit } from '../support/browser.ts';
import { needs } from '../support/needs.ts';
import { downloaded, give, trainIn, trainInNode, worstWeight } from './run.ts';
import { writeShapes } from './shapes.ts';

/** The same on WebGPU, which SwiftShader computes: in software, so it takes a while. */

const EPOCHS = 6;
const RATE = 0.01;

const browser: Browser = await launchChromium(SWIFTSHADER);
const folder: string = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
const path = (name: string): string => join(folder, name);
writeFileSync(path('index.html'), '<title>WebGPU</title>');
let served: Served = await serveFolder(folder);
const { page: blank } = await visit(browser, served.url);
const hasAdapter: boolean = await blank.evaluate('navigator.gpu?.requestAdapter().then(Boolean) ?? false');
await served.close();

let inNode: TrainResult;

beforeAll(async () => {
  if (!hasAdapter) return;
  await writeShapes(folder);
  await buildPage(path('site'));
  served = await serveFolder(path('site'));
  inNode = await trainInNode(folder, EPOCHS, RATE);
}, 180_000);

afterAll(async () => {
  await browser.close();
  if (hasAdapter) await served.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the page, with WebGPU', needs(hasAdapter, 'a Chromium with WebGPU'), () => {
  it('trains as Node does on its CPU', { timeout: 300_000 }, async () => {
    const { page, problems } = await visit(browser, served.url);
    await page.waitForSelector('#device[data-device="wasm"]');
    expect(await page.textContent('#device')).toContain('WebGPU is in software here');
    await page.selectOption('#engine', 'webgpu');
    await page.waitForSelector('#device[data-device="webgpu"]');
    await give(page, path('shapes.onnx'), path('shapes.zip'));
    await trainIn(page, EPOCHS, RATE);
    expect(await page.textContent('#notes')).toContain('WebGPU verified on the first batch');
    expect(inNode.decision?.taken).not.toBeNull();
    expect(await page.textContent('#verdict')).toBe(`The tuned model is offered: ${inNode.decision?.why}.`);
    const tuned = await downloaded(page, '#download');
    const error = worstWeight(tuned, readFileSync(path('tuned.onnx')));
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(1e-5);
    expect(problems).toEqual([]);
  });
});
