import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainResult } from '../../src/index.ts';
import { buildPage } from '../../web/build.ts';
import { launchChromium, type Served, serveFolder, type Visit, visit } from '../support/browser.ts';
import { readOnnx } from '../support/onnxFile.ts';
import { differing, downloaded, give, trainIn, trainInNode, worstWeight } from './run.ts';
import { KINDS, shapesModel, tableModel, writeShapes } from './shapes.ts';

/** A whole run in Chromium, on a model and images that are made here, beside the same run in Node. */

const EPOCHS = 6;
const RATE = 0.01;

let folder: string;
let served: Served;
let browser: Browser;
let inNode: TrainResult;
let wasm: Visit;

const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
  await writeShapes(folder);
  await buildPage(path('site'));
  served = await serveFolder(path('site'));
  browser = await launchChromium();
  inNode = await trainInNode(folder, EPOCHS, RATE);
}, 180_000);

afterAll(async () => {
  await browser?.close();
  await served?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the page, with WebAssembly', () => {
  it('says what it found: classes in the order of the scores, and counts', { timeout: 120_000 }, async () => {
    wasm = await visit(browser, served.url);
    const { page } = wasm;
    await give(page, path('shapes.onnx'), path('shapes.zip'));
    expect(await page.textContent('#device')).toMatch(/^WebAssembly/);
    expect(await page.textContent('#model-facts')).toContain(KINDS.join(', '));
    const rows = await page.locator('#data-facts tbody tr').allInnerTexts();
    expect(rows.map((row) => row.split('\t').slice(0, 3))).toEqual(
      KINDS.map((kind, k) => [kind, String(k), String(inNode.classCounts[k])]),
    );
  });

  it('trains as Node does, and gives the file with other weights alone', { timeout: 180_000 }, async () => {
    const { page } = wasm;
    await trainIn(page, EPOCHS, RATE);
    expect(inNode.decision?.taken).not.toBeNull();
    expect(await page.textContent('#verdict')).toBe(`The tuned model is offered: ${inNode.decision?.why}.`);
    const cells = await page.locator('#recalls tbody tr').allInnerTexts();
    const expected = inNode.classNames?.map((name, k) => {
      const [before, after] = [inNode.before.judged, inNode.half ?? inNode.arms[0]?.judged];
      const figures = [before, after].map((metrics) => (100 * (metrics?.recall[k] ?? Number.NaN)).toFixed(1));
      return [name, String(inNode.classCounts[k]), ...figures];
    });
    expect(cells.map((row) => row.trim().split('\t').slice(0, 4))).toEqual(expected);

    const [given, tuned] = [shapesModel(), await downloaded(page, '#download')];
    expect(worstWeight(tuned, readFileSync(path('tuned.onnx')))).toBeLessThan(1e-5);
    expect(worstWeight(tuned, given)).toBeGreaterThan(1e-2);
    expect(differing(given, tuned)).toEqual({ tensors: ['b1', 'b2', 'b3', 'w1', 'w2', 'w3'], elsewhere: [] });
    expect(await page.textContent('#written')).toMatch(
      /in 6 trained tensors \(w1, b1.*Every other byte is yours, and 87 bytes of metadata stand behind them\.$/,
    );
    const lossgraft = expect.stringContaining('"kind":"tuned"');
    expect(readOnnx(tuned).metadata).toEqual({ ...readOnnx(given).metadata, lossgraft });
    const text = new TextDecoder().decode(await downloaded(page, '#report'));
    expect(text).toContain('<title>');
  });

  it('asks before it gives a model that is not better', { timeout: 180_000 }, async () => {
    const { page } = wasm;
    await give(page, path('tuned.onnx'), path('shapes.zip'));
    await trainIn(page, 2, 0.5);
    expect(await page.textContent('#verdict')).toMatch(/^Your model is kept: /);
    await page.click('#download');
    await page.click('#ask-no');
    expect(await page.textContent('#written')).toBe('');
    await page.click('#download');
    expect(readOnnx(await downloaded(page, '#ask-yes')).weights.size).toBe(6);
  });

  it('changes the last layer alone where that is asked for', { timeout: 180_000 }, async () => {
    const { page } = wasm;
    await page.selectOption('#trainable', 'head');
    await give(page, path('shapes.onnx'), path('shapes.zip'));
    await trainIn(page, 2, 0.05);
    const isOffered = /offered/.test((await page.textContent('#verdict')) ?? '');
    if (!isOffered) await page.click('#download');
    const tuned = await downloaded(page, isOffered ? '#download' : '#ask-yes');
    expect(differing(shapesModel(), tuned)).toEqual({ tensors: ['b3', 'w3'], elsewhere: [] });
    await page.selectOption('#trainable', 'all');
  });

  it('reads a table, and says which column it lacks', { timeout: 120_000 }, async () => {
    const { page } = await visit(browser, served.url);
    writeFileSync(path('table.onnx'), tableModel());
    const rows = Array.from({ length: 90 }, (_, i) => [i % 7, (i * 5) % 11, (i % 3) * 3, i % 3].join(','));
    writeFileSync(path('table.csv'), `a,b,c,kind\n${rows.join('\n')}\n`);
    await page.setInputFiles('#model-files', path('table.onnx'));
    await page.waitForSelector('#model-step.done');
    await page.setInputFiles('#data-files', path('table.csv'));
    await page.waitForSelector('#data-problem:not([hidden])');
    expect(await page.textContent('#data-problem')).toContain('“Label column”');
    await page.click('#reading summary');
    await page.fill('#labelColumn', 'kind');
    await page.press('#labelColumn', 'Enter');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    expect(await page.locator('#data-facts tbody tr').count()).toBe(3);
    await trainIn(page, 4, 0.05);
    expect(await page.locator('#recalls tbody tr').count()).toBe(3);
  });

  it('says what is wrong, and what to do', async () => {
    const { page } = wasm;
    writeFileSync(path('notes.txt'), 'no model');
    await page.setInputFiles('#model-files', path('notes.txt'));
    await page.waitForSelector('#model-problem:not([hidden])');
    const said = await page.textContent('#model-problem');
    expect(said).toMatch(/^the modelExpectedone \.onnx fileFoundnoneWhat to doDrop the exported/);
  });

  it('stops when asked', { timeout: 120_000 }, async () => {
    const { page } = wasm;
    await give(page, path('shapes.onnx'), path('shapes.zip'));
    await page.fill('#epochs', '4000');
    await page.click('#train');
    await page.waitForSelector('#curves:not([hidden])');
    await page.click('#cancel');
    await page.waitForSelector('#train:enabled');
    expect(await page.textContent('#status')).toBe('Stopped. Nothing was changed.');
    // While the engine checks a changed plan, so that it has not begun to train.
    await page.evaluate(`
      document.getElementById('epochs').value = '3999';
      for (const kind of ['input', 'change']) document.getElementById('epochs').dispatchEvent(new Event(kind));
      for (const id of ['train', 'cancel']) document.getElementById(id).click();`);
    await page.waitForSelector('#train:enabled');
    expect(await page.textContent('#status')).toBe('Stopped. Nothing was changed.');
  });

  it('cannot send anything elsewhere, from the page or from the thread that has the data', async () => {
    const heard: string[] = [];
    const other = createServer(({ url = '' }, response) => {
      heard.push(url);
      response.setHeader('access-control-allow-origin', '*').end('reached');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    const { page } = await visit(browser, served.url);
    await page.waitForSelector('#device[data-device]');
    const [thread] = page.workers();
    const send = (to: string): Promise<string> => fetch(to).then((response) => response.text(), String);
    expect(await page.evaluate(send, `${url}/page`)).toMatch(/^TypeError/);
    expect(await thread?.evaluate(send, `${url}/thread`)).toMatch(/^TypeError/);
    expect(await thread?.evaluate(`import('${url}/script').then(String, String)`)).toMatch(/^TypeError/);
    await page.evaluate(`navigator.sendBeacon('${url}/beacon', 'data'); new Image().src = '${url}/image';`);
    await page.evaluate(`try { new WebSocket('${url.replace('http', 'ws')}/socket') } catch {}`);
    // It would be heard: a page without a policy reaches it.
    const free = await browser.newPage();
    await free.goto(`${url}/free`);
    expect(await free.evaluate(send, `${url}/last`)).toBe('reached');
    expect(heard.filter((path) => path !== '/favicon.ico')).toEqual(['/free', '/last']);
    await free.close();
    other.close();
  });

  it('sends nothing anywhere, and works without a network', { timeout: 120_000 }, async () => {
    const { page, problems } = wasm;
    expect(problems).toEqual([]);
    const own = new URL(served.url).origin;
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).origin));
    await page.reload();
    await page.getByText('It works offline from now on.').waitFor();
    await page.context().setOffline(true);
    await page.reload();
    await page.click('#example');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    expect(new Set(asked)).toEqual(new Set([own]));
  });
});
