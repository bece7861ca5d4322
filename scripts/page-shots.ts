import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { launchChromium, serveFolder, visit } from '../test/support/browser.ts';
import { buildPage } from '../web/build.ts';

/** `npm run docs:page`: the pictures of the page in docs/images, taken of its own example. */

const IMAGES = join(import.meta.dirname, '../docs/images');

/** Few colours: a page has no photographs. */
async function save(page: Page, name: string, from: string): Promise<void> {
  await page.evaluate(`document.querySelector('${from}').scrollIntoView({ block: 'start' })`);
  const picture = await page.screenshot();
  await sharp(picture).png({ palette: true, colours: 64, compressionLevel: 9 }).toFile(join(IMAGES, name));
}

const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
await buildPage(folder);
const served = await serveFolder(folder);
const browser = await launchChromium();
const { page } = await visit(browser, served.url, { viewport: { width: 1000, height: 760 }, reducedMotion: 'reduce' });
await page.click('#example');
await page.waitForSelector('#train:enabled', { timeout: 120_000 });
await page.evaluate('scrollTo(0, 0)');
await save(page, 'page-start.png', 'header');
await page.click('#train');
await page.waitForSelector('#result-step:not([hidden])', { timeout: 300_000 });
await save(page, 'page-desktop.png', '#result-step');
await page.emulateMedia({ colorScheme: 'dark' });
await save(page, 'page-dark.png', '#curves');
await page.emulateMedia({ colorScheme: 'light' });
await page.setViewportSize({ width: 390, height: 844 });
await save(page, 'page-phone.png', '#result-step');
await browser.close();
await served.close();
await rm(folder, { recursive: true, force: true });
