import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { launchChromium, visit } from '../support/browser.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** Trains and tells where the page is as soon as that is known. */
async function run(options: Partial<TrainOptions>, onUrl: (url: string) => void = () => {}): Promise<TrainResult> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  const onNote = (note: string): void => {
    const [url] = /http:\/\/\S+/.exec(note) ?? [];
    if (url !== undefined) onUrl(url);
  };
  try {
    const small = { loss: 'ce', epochs: 3, batchSize: 32, stepsPerRun: 1 } as const;
    return await train(model, { ...small, data, folder: temporaryFolder(), report: false, onNote, ...options });
  } finally {
    data.close();
    model.close();
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

function ask(url: string, options: { readonly method?: string; readonly host?: string } = {}): Promise<Answer> {
  const { method = 'GET', host } = options;
  return new Promise((resolve, reject) => {
    request(url, { method, ...(host === undefined ? {} : { headers: { host } }) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

/** A run that goes on, and where its page is. */
function begin(options: Partial<TrainOptions>): {
  readonly url: Promise<string>;
  readonly training: Promise<TrainResult>;
} {
  const told = new EventEmitter();
  const url = once(told, 'url').then(([found]) => String(found));
  return { url, training: run({ serve: true, ...options }, (found) => told.emit('url', found)) };
}

const epochRows = (page: Page): Promise<number> =>
  page.locator('table:has(caption:text-is("All epochs, on validation data")) tbody tr').count();

describe('the page of a run that goes on', () => {
  it('grows with the epochs, keeps what was unfolded, shows the end, and ends with the run', async () => {
    const seen: number[] = [];
    const { url: address, training } = begin({ epochs: 40, onEpoch: ({ epoch }) => seen.push(epoch) });
    const url = await address;
    const { page, problems } = await visit(browser, url);
    await training;
    expect(seen.at(-1)).toBe(40);
    await page.locator('#progress:has-text("The run has ended")').waitFor();
    expect(problems).toEqual([]);
    // The last page is the whole one: what the run came to, and the influence of samples.
    expect(await epochRows(page)).toBe(41);
    expect(await page.locator('#result .verdict').textContent()).toMatch(/This run writes|this run writes no model/);
    expect(await page.locator('#influence .samples li').count()).toBe(24);
    await expect(ask(url)).rejects.toThrow(/ECONNREFUSED/);
    await page.context().close();
  });

  it('shows epochs while others are still to come', async () => {
    const found: { rows: number; text: string; verdict: string; isOpen: boolean }[] = [];
    const stop = new AbortController();
    const { url, training } = begin({ epochs: 2000, signal: stop.signal });
    const { page } = await visit(browser, await url);
    await page.locator('#training > details > summary').dispatchEvent('click');
    for (;;) {
      const rows = await epochRows(page);
      const text = String(await page.locator('#progress').textContent());
      if (/has ended|no longer there/.test(text)) break;
      const verdict = String(await page.locator('.verdict').textContent());
      const isOpen = await page.evaluate('document.querySelector("#training > details")?.open === true');
      if (rows !== found.at(-1)?.rows) found.push({ rows, text, verdict, isOpen: isOpen === true });
      if (found.length === 5) stop.abort();
    }
    expect((await training).interrupted).toBe(true);
    expect(found.length).toBeGreaterThan(4);
    const rows = found.map((one) => one.rows);
    expect(rows).toEqual(rows.toSorted((a, b) => a - b));
    for (const { text, verdict, isOpen } of found.slice(1, 5)) {
      expect(text).toMatch(/^ce, epoch \d+ of 2000, step \d+ of \d+: loss \d/);
      expect(verdict).toBe('ce, so far');
      expect(isOpen).toBe(true);
    }
    await page.context().close();
  });

  it('is for this machine alone: no other name leads to it, nothing can be sent, nothing else is there', async () => {
    const answers: Promise<Answer>[] = [];
    await run({ serve: true }, (url) => {
      const { port } = new URL(url);
      expect(url).toBe(`http://127.0.0.1:${port}/`);
      answers.push(
        ask(url),
        ask(url, { host: `localhost:${port}` }),
        ask(url, { host: `evil.example:${port}` }),
        ask(url, { method: 'POST' }),
        ask(`${url}checkpoint.json`),
        ask(`${url}../../etc/passwd`),
      );
    });
    const [page, local, evil, post, file, outside] = await Promise.all(answers);
    expect([page, local, evil, post, file, outside].map((one) => one?.status)).toEqual([200, 200, 403, 405, 404, 404]);
    expect(evil?.body).not.toContain('lossgraft');
    const policy = String(page?.headers['content-security-policy']);
    expect(policy).toMatch(/default-src 'none'; script-src 'sha256-[\w+/=]+'; connect-src 'self';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(page?.headers['cache-control']).toBe('no-store');
    expect(page?.headers['access-control-allow-origin']).toBeUndefined();
  });

  it('says what is wrong with a port before training', async () => {
    const taken = createServer();
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const address = taken.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    const epochs: number[] = [];
    await expect(run({ serve: port, onEpoch: ({ epoch }) => epochs.push(epoch) })).rejects.toMatchObject({
      problem: { code: 'serve-failed', where: `127.0.0.1:${port}`, hint: expect.stringContaining('Give another port') },
    });
    expect(epochs).toEqual([]);
    await new Promise((resolve) => taken.close(resolve));
    await expect(run({ serve: 99999 })).rejects.toThrow(/true, or a port/);
  });

  it('ends with a run that is interrupted, and with one that breaks', async () => {
    const urls: string[] = [];
    const stop = new AbortController();
    const cut = await run({ serve: true, signal: stop.signal, onProgress: () => stop.abort() }, (url) =>
      urls.push(url),
    );
    expect(cut.interrupted).toBe(true);
    await expect(run({ serve: true, learningRate: 1e30 }, (url) => urls.push(url))).rejects.toThrow();
    expect(urls).toHaveLength(2);
    for (const url of urls) await expect(ask(url)).rejects.toThrow(/ECONNREFUSED/);
  });

  it('is asked for by --serve, and no part of what run.json repeats', async () => {
    const folder = temporaryFolder();
    const args = [
      'train',
      join(DIGITS, 'model.onnx'),
      '--data',
      join(DIGITS, 'train.npz'),
      '-o',
      join(folder, 't.onnx'),
    ];
    const more = [
      '--epochs',
      '1',
      '--folds',
      '1',
      '--no-report',
      '--write-anyway',
      '--run',
      join(folder, 'r'),
      '--serve',
    ];
    const { code, stderr } = await lossgraft([...args, ...more]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/on this machine alone: http:\/\/127\.0\.0\.1:\d+\//)]);
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'r/run.json'), 'utf8')).options)).not.toContain('serve');
    const wrong = await lossgraft([...args, '--serve', 'x']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('a port from 1 to 65535, or nothing')]);
  });
});
