import { context, stop } from 'esbuild';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findChromium } from './chromium.ts';

/** WebGPU on SwiftShader, a Vulkan in software that Chromium brings along. */
export const SWIFTSHADER: readonly string[] = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--ignore-gpu-blocklist',
];

/** Starts chromium without a window, with further arguments. Close it when done. */
export async function launchChromium(more: readonly string[] = []): Promise<Browser> {
  const { executablePath, env } = await findChromium();
  // Root, as in containers, has no sandbox, and a container's /dev/shm may be too small.
  return chromium.launch({ executablePath, env, args: ['--no-sandbox', '--disable-dev-shm-usage', ...more] });
}

/** A page and what went wrong on it, as it happens. */
export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, exceptions nobody caught, requests that failed or were answered with 400 and above. */
  readonly problems: readonly string[];
}

/** Opens `url` in a fresh profile; the options say how wide the page is, which colour scheme it prefers, and so on. */
export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const page = await (await browser.newContext(options)).newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`uncaught: ${error.message}`));
  page.on('requestfailed', (request) => problems.push(`failed: ${request.url()}, ${request.failure()?.errorText}`));
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  return { page, problems };
}

/** A folder's files at `url` (which ends in a slash), on this machine only. */
export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

export async function serveFolder(folder: string): Promise<Served> {
  const server = await context({});
  const { port } = await server.serve({ servedir: folder, host: '127.0.0.1' });
  const close = async (): Promise<void> => {
    await server.dispose();
    // esbuild's own process has this one's stderr, and while it has, the test run does not end.
    await stop();
  };
  return { url: `http://127.0.0.1:${port}/`, close };
}
