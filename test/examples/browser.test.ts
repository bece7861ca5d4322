import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Epoch, fineTune } from '../../examples/browser/fineTune.ts';
import { loadTask, type Settings } from '../../examples/browser/task.ts';
import { launchChromium, type Visit, visit } from '../support/browser.ts';
import { ROOT } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';

/** 130 steps: later on a rounding may tip a ReLU, after which the two ways part. */
const COMPARED = 10;

let folder: string;
let server: ChildProcess;
let url: string;
let browser: Browser;
/** A page that has trained for {@link COMPARED} epochs. */
let trained: Visit;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
  const script = ['--import', 'tsx', 'examples/browser/serve.ts', folder];
  // Not this process's stderr: while another has that, the test run does not end.
  server = spawn(process.execPath, script, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  url = await addressOf(server);
  browser = await launchChromium();
  planEpochs(COMPARED);
  trained = await visit(browser, url);
  await train(trained.page);
}, 240_000);

afterAll(async () => {
  await browser?.close();
  const ended = server && once(server, 'exit');
  server?.kill();
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

/** Changes the plan that a page loads. */
function planEpochs(epochs: number): void {
  const path = join(folder, 'settings.json');
  const settings: Settings = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...settings, plan: { ...settings.plan, epochs } }));
}

async function train(page: Page): Promise<void> {
  await page.click('#train');
  await page.waitForSelector('#metrics:enabled', { timeout: 180_000 });
}

/** What the script prints once it serves. */
async function addressOf({ stdout, stderr }: ChildProcess): Promise<string> {
  if (stdout === null || stderr === null) throw new Error('no output');
  let said = '';
  stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  for await (const line of createInterface({ input: stdout })) {
    const [address] = /http:\S+/.exec(line) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`The page was not served: ${said}`);
}

async function downloaded(page: Page, button: string): Promise<Uint8Array> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(button)]);
  return readFileSync(await file.path());
}

function worst(actual: readonly number[], expected: readonly number[], scale: (value: number) => number): number {
  expect(actual.length).toBe(expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)) / scale(value)));
}

describe('training in the browser', () => {
  it('gives the losses, the recalls and the weights that Node gives', { timeout: 240_000 }, async () => {
    const { page } = trained;
    const lines = new TextDecoder()
      .decode(await downloaded(page, '#metrics'))
      .trim()
      .split('\n');
    const inPage = lines.map((line): Omit<Epoch, 'tuned'> => JSON.parse(line));
    const task = await loadTask((name) => readFile(join(folder, name)));
    let last: Epoch | undefined;
    for await (const epoch of fineTune(ort, task)) {
      const { losses = [], test } = inPage[epoch.epoch] ?? {};
      expect(losses).toHaveLength(epoch.epoch === 0 ? 0 : 13);
      expect(worst(losses, epoch.losses, Math.abs), `epoch ${epoch.epoch}`).toBeLessThan(1e-5);
      // Of 40 images of a digit one may lie at a boundary.
      const recall = epoch.test.recall.map(Number);
      expect(worst(test?.recall.map(Number) ?? [], recall, () => 1)).toBeLessThan(1.5 / 40);
      last = epoch;
    }
    expect(inPage).toHaveLength(COMPARED + 1);
    const { balancedAccuracy = 0 } = inPage.at(-1)?.test ?? {};
    expect(await page.textContent('#accuracy')).toBe(`${(100 * balancedAccuracy).toFixed(1)} %`);

    const [given, tuned, inNode] = [task.model, await downloaded(page, '#model'), last?.tuned ?? task.model];
    expect(tuned.length).toBe(given.length);
    const weights = readOnnx(tuned).weights;
    for (const [name, values] of readOnnx(inNode).weights) {
      const largest = Math.max(...values.map(Math.abs));
      expect(
        worst(weights.get(name) ?? [], values, () => largest),
        name,
      ).toBeLessThan(1e-5);
    }
  });

  it('fits a phone, light and dark, and the console is silent', async () => {
    const { page, problems } = trained;
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
    const colours = 'document.body.computedStyleMap()';
    const seen = async (colorScheme: 'light' | 'dark'): Promise<unknown> => {
      await page.emulateMedia({ colorScheme });
      return page.evaluate(`['background-color', 'color'].map((key) => String(${colours}.get(key)))`);
    };
    expect(await seen('light')).toEqual(['rgb(255, 255, 255)', 'rgb(27, 30, 35)']);
    expect(await seen('dark')).toEqual(['rgb(22, 24, 28)', 'rgb(232, 234, 237)']);
    expect(problems).toEqual([]);
  });

  it('stops when asked, begins anew, and learns: the mean recall of the rare digits rises', async () => {
    planEpochs(30);
    const { page } = await visit(browser, url);
    await page.click('#train');
    await page.click('#stop');
    await page.waitForSelector('#train:enabled');
    expect(Number.parseInt((await page.textContent('#epoch')) ?? '', 10)).toBeLessThan(30);
    await train(page);
    expect(await page.textContent('#epoch')).toBe('30 of 30');
    const cells = await page.locator('#recalls tr').allInnerTexts();
    const rows = cells.map((row) => row.split('\t').map(Number));
    expect(rows.map(([, count]) => count)).toEqual([130, 90, 63, 44, 31, 21, 15, 10, 7, 5]);
    const rare = rows.slice(6);
    const mean = (column: number): number => rare.reduce((sum, row) => sum + (row[column] ?? 0), 0) / rare.length;
    expect(mean(3)).toBeGreaterThan(mean(2) + 5);
  });

  it.each([
    ['train.npz', 'train.npz: 404 Not Found'],
    ['ort-wasm-simd-threaded.wasm', 'no available backend found'],
  ])('says that %s is missing', async (file, message) => {
    const page = await browser.newPage();
    await page.route(`**/${file}`, (route) => route.fulfill({ status: 404 }));
    await page.goto(url);
    if (file.endsWith('.wasm')) await page.click('#train');
    await page.waitForSelector('#problem:not(:empty)');
    expect(await page.textContent('#problem')).toContain(message);
  });
});
