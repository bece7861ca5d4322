import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addServiceWorker, buildPage } from '../../web/build.ts';
import { launchChromium, type Served, serveFolder, visit } from '../support/browser.ts';
import { give } from './run.ts';
import { KINDS, tableModel, writeShapes } from './shapes.ts';

/** The page as people use it: dropped files, the keyboard alone, wrong files, second thoughts, and a build that is replaced. */

let folder: string;
let served: Served;
let browser: Browser;

const path = (name: string): string => join(folder, name);
/** A PNG of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

const text = (name: string): Uint8Array => new TextEncoder().encode(name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
  await writeShapes(folder);
  writeFileSync(path('table.onnx'), tableModel());
  await buildPage(path('site'));
  served = await serveFolder(path('site'));
  browser = await launchChromium();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await served?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function opened(): Promise<Page> {
  const { page } = await visit(browser, served.url);
  await page.waitForSelector('#device[data-device]');
  return page;
}

/** What a person's hand does: the browser itself reads the files or folders. */
async function drop(page: Page, place: string, ...names: string[]): Promise<void> {
  await page.locator(place).scrollIntoViewIfNeeded();
  const box = await page.locator(place).boundingBox();
  if (box === null) throw new Error(`${place} is not there`);
  const client = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  const data = { items: [], files: names.map(path), dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await client.send('Input.dispatchDragEvent', { type, ...at, data });
}

async function counts(page: Page): Promise<string[][]> {
  await page.waitForSelector('#train:enabled', { timeout: 60_000 });
  const rows = await page.locator('#data-facts tbody tr').allInnerTexts();
  return rows.map((row) => row.split('\t').slice(0, 3));
}

describe('files that are dropped', () => {
  it.each(['shapes', 'shapes.zip'])(
    '%s: a folder or a zip gives the same classes',
    { timeout: 90_000 },
    async (data) => {
      const page = await opened();
      // In the other order than the page asks for.
      await drop(page, '#data-drop', data);
      await page.getByText('The samples wait for the model.').waitFor();
      await drop(page, '#model-drop', 'shapes.onnx');
      expect((await counts(page)).map(([name]) => name)).toEqual([...KINDS]);
      const [[, , stripes = '']] = (await counts(page)) as [string[]];
      expect(Number(stripes)).toBe(48);
      expect(await page.locator('.over').count()).toBe(0);
    },
  );

  it('beside the places, the page stays', async () => {
    const page = await opened();
    await drop(page, 'h1', 'shapes.zip');
    expect(page.url()).toBe(served.url);
    expect(await page.textContent('h1')).toContain('rare classes');
  });
});

describe('the keyboard alone', () => {
  it('goes through the steps in their order, trains, and is shown the result', { timeout: 120_000 }, async () => {
    const page = await opened();
    const focused = (): Promise<string> => page.evaluate('document.activeElement.id || document.activeElement.tagName');
    const seen: string[] = [];
    for (const wanted of ['model-files', 'example']) {
      await page.keyboard.press('Tab');
      seen.push(await focused());
      expect(seen.at(-1)).toBe(wanted);
    }
    await page.keyboard.press('Enter');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    for (let i = 0; i < 30 && seen.at(-1) !== 'train'; i++) {
      await page.keyboard.press('Tab');
      seen.push(await focused());
      if (seen.at(-1) === 'epochs') await page.keyboard.type('1');
    }
    const order = [
      'model-files',
      'example',
      'data-folder',
      'data-files',
      'trainable',
      'goal',
      'epochs',
      'learningRate',
    ];
    expect(seen.filter((id) => [...order, 'train'].includes(id))).toEqual([...order, 'train']);
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('cancel');
    await page.waitForSelector('#result-step:not([hidden])', { timeout: 90_000 });
    expect(await focused()).toBe('result-title');
  });

  it('has a name for whatever can be reached', async () => {
    const page = await opened();
    await page.click('#reading summary');
    const names = await page.locator('body').ariaSnapshot();
    const controls = names.split('\n').filter((line) => /- (button|textbox|combobox)/.test(line));
    expect(controls.filter((line) => !/"[^"]+"/.test(line))).toEqual([]);
    expect(names).toContain('button "Choose files of the model"');
    expect(names).toContain('button "Choose files of samples"');
  });
});

describe('second thoughts', () => {
  it('leave no plan that is not of the choices that are shown', { timeout: 120_000 }, async () => {
    const page = await opened();
    await give(page, path('shapes.onnx'), path('shapes.zip'));
    expect(await page.textContent('#plan')).not.toContain('7 epochs');
    // A key is enough: the old plan goes, and the new one comes by itself.
    await page.fill('#epochs', '7');
    expect(await page.textContent('#plan')).toBe('');
    await page.press('#epochs', 'Tab');
    await page.getByText('7 epochs of').waitFor({ timeout: 30_000 });
    // Choices that cannot be: no plan, no training, and a way back.
    await page.fill('#epochs', 'many');
    await page.press('#epochs', 'Tab');
    await page.waitForSelector('#train-problem:not([hidden])');
    expect(await page.textContent('#train-problem')).toContain('“Epochs”');
    expect([await page.textContent('#plan'), await page.isDisabled('#train')]).toEqual(['', true]);
    await page.fill('#epochs', '6');
    await page.press('#epochs', 'Tab');
    await page.getByText('6 epochs of').waitFor({ timeout: 30_000 });
    expect(await page.isHidden('#train-problem')).toBe(true);
    // How samples are read: nothing can be trained until they were read so.
    await page.click('#reading summary');
    await page.fill('#mean', '0.5');
    expect(await page.isDisabled('#train')).toBe(true);
    expect([await page.textContent('#plan'), await page.isHidden('#data-facts')]).toEqual(['', true]);
    await page.press('#mean', 'Enter');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    // Other files.
    await page.setInputFiles('#model-files', path('table.onnx'));
    expect(await page.isDisabled('#train')).toBe(true);
    await page.waitForSelector('#data-problem:not([hidden])', { timeout: 60_000 });
    expect([await page.textContent('#plan'), await page.isDisabled('#train')]).toEqual(['', true]);
  });

  it('stop what is under way, at every stage', { timeout: 120_000 }, async () => {
    const page = await opened();
    await page.setInputFiles('#model-files', path('shapes.onnx'));
    await page.click('#cancel');
    await page.getByText('Stopped. Drop a model.').waitFor();
    await page.setInputFiles('#model-files', path('shapes.onnx'));
    await page.waitForSelector('#model-step.done');
    await page.setInputFiles('#data-files', path('shapes.zip'));
    await page.click('#cancel');
    await page.getByText('Stopped. Drop samples, or read them again.').waitFor();
    expect(await page.isDisabled('#train')).toBe(true);
    await page.click('#reading summary');
    await page.click('#reread');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    await page.fill('#epochs', '4000');
    await page.click('#train');
    await page.waitForSelector('#curves:not([hidden])');
    // Not by other files: a training of hours is not lost by a slip.
    await drop(page, '#data-drop', 'shapes');
    await page.getByText('The training is running. Stop it before you give other files.').waitFor();
    await page.evaluate(`for (const _ of [1, 2]) document.getElementById('cancel').click();`);
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    expect(await page.isHidden('#result-step')).toBe(true);
  });
});

describe('wrong files', () => {
  const wrong: readonly (readonly [string, 'model' | 'data', Uint8Array, RegExp])[] = [
    ['notes.txt', 'model', text('no model'), /one \.onnx file.*none/],
    ['broken.onnx', 'model', text('no model at all'), /an ONNX model/],
    ['readme.zip', 'data', zipSync({ 'readme.txt': text('x') }), /a folder of images for each class.*readme\.txt/],
    ['broken.zip', 'data', text('no zip'), /a zip archive/],
    ['others.zip', 'data', zipSync({ 'cat/1.png': PIXEL, 'dog/1.png': PIXEL }), /labels among stripe, disc, ring/],
    ['dead.zip', 'data', zipSync({ 'disc/1.png': text('?'), 'ring/1.png': text('?') }), /PNG.*other bytes/],
    ['few.csv', 'data', text('a,b,label\n1,2,0\n3,4,1\n'), /\[N, 3, 16, 16\].*\[2, 2\]/],
  ];

  it('get one plain message each, and nothing is stuck', { timeout: 120_000 }, async () => {
    const page = await opened();
    for (const [name, step, bytes, expected] of wrong) {
      if (step === 'data' && (await page.isHidden('#model-facts')))
        await page.setInputFiles('#model-files', path('shapes.onnx'));
      writeFileSync(path(name), bytes);
      await page.setInputFiles(`#${step}-files`, path(name));
      await page.waitForSelector(`#${step}-problem:not([hidden])`);
      const said = (await page.locator('.problem:visible').allInnerTexts()).map((all) => all.replaceAll('\n', ' '));
      expect(said, name).toHaveLength(1);
      expect(said[0], name).toMatch(expected);
      expect(said[0], name).not.toMatch(/defect|undefined|\/data|\/model/);
      expect([await page.isDisabled('#train'), await page.isHidden('#cancel')], name).toEqual([true, true]);
    }
    await page.setInputFiles('#data-files', path('shapes.zip'));
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    expect(await page.locator('.problem:visible').count()).toBe(0);
  });
});

describe('a new build', () => {
  it('takes the place of the old one as a whole, when no tab has that open', { timeout: 120_000 }, async () => {
    const site = path('moving');
    cpSync(path('site'), site, { recursive: true });
    const host = await serveFolder(site);
    const html = readFileSync(join(site, 'index.html'), 'utf8');
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(host.url);
    await page.getByText('It works offline from now on.').waitFor();
    // The host has the new build alone, as after a deployment.
    rmSync(join(site, 'parts'), { recursive: true });
    cpSync(path('site/parts'), join(site, 'parts'), { recursive: true });
    const [, main = ''] = /src="(parts\/main[^"]*)"/.exec(html) ?? [];
    rmSync(join(site, main));
    writeFileSync(join(site, 'parts/main-new.js'), "document.getElementById('device').textContent = 'the new build';");
    writeFileSync(join(site, 'index.html'), html.replace(main, 'parts/main-new.js'));
    await addServiceWorker(site);
    await page.reload();
    await page.waitForSelector('#device[data-device]');
    await page.getByText('A newer version is here').waitFor();
    expect(await page.textContent('#device')).toMatch(/^WebAssembly/);
    await page.click('#example');
    await page.waitForSelector('#train:enabled', { timeout: 60_000 });
    await page.close();
    await context.setOffline(true);
    const next = await context.newPage();
    await expect
      .poll(async () => {
        await next.goto(host.url);
        return next.textContent('#device');
      })
      .toBe('the new build');
    expect(await next.evaluate('caches.keys().then((names) => names.length)')).toBe(1);
    // A host that has files of two builds: the old one stays.
    await context.setOffline(false);
    writeFileSync(join(site, 'index.html'), html);
    const update = `navigator.serviceWorker.getRegistration().then((found) => found.update())`;
    writeFileSync(
      join(site, 'serviceWorker.js'),
      `${readFileSync(join(site, 'serviceWorker.js'), 'utf8')}\n// changed`,
    );
    await next.evaluate(update);
    await expect
      .poll(() => next.evaluate(`navigator.serviceWorker.getRegistration().then((found) => Boolean(found.installing))`))
      .toBe(false);
    expect(await next.evaluate(`navigator.serviceWorker.getRegistration().then((found) => found.waiting)`)).toBeNull();
    await next.reload();
    expect(await next.textContent('#device')).toBe('the new build');
    await context.close();
    await host.close();
  });
});
