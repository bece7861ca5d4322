import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metricsOf } from '../../src/records/metrics.ts';
import { renderReport } from '../../src/report/page.ts';
import type { Report } from '../../src/report/report.ts';
import { launchChromium, visit } from '../support/browser.ts';
import { temporaryFolder } from '../support/cli.ts';
import { scoredOf } from '../support/scored.ts';
import { exampleReport } from './examples.ts';

const PHONE = { width: 375, height: 740 };
const HOSTILE = `</title></style></script><script>window.hit = 1</script><img src="https://example.invalid/x" onerror="window.hit = 1">"' onload="window.hit = 1" \u202eevil\u0007 & <b>bold</b>`;

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

interface Seen {
  readonly page: Page;
  readonly problems: readonly string[];
  /** Every address that was asked for beside the page's own. */
  readonly asked: readonly string[];
}

/** Opens a page from a file, as a user does. */
async function see(report: Report | string, options: Parameters<typeof visit>[2] = {}): Promise<Seen> {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'report.html');
  writeFileSync(path, typeof report === 'string' ? report : renderReport(report));
  const { page, problems } = await visit(browser, 'about:blank', options);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`file://${path}`);
  return { page, problems, asked: asked.filter((url) => !url.startsWith('data:')).slice(1) };
}

/** What stands out to the right of the page, by its markup. */
async function overflowing(page: Page): Promise<unknown> {
  return page.evaluate(`({
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    cut: [...document.querySelectorAll('figure > svg, h1, h3, p, li, .tile')]
      .filter((one) => one.checkVisibility() && !one.closest('.scroll'))
      .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map((one) => one.outerHTML.slice(0, 80)),
  })`);
}

const EXAMPLES: readonly (readonly [string, Report])[] = [
  ['two classes', exampleReport({ classes: 2 })],
  [
    'ten classes, many losses',
    exampleReport({
      classes: 10,
      arms: ['ib', 'ce+inverse', 'ce', 'ib-focal', 'ldam', 'focal', 'poly1', 'ib+effective', 'balanced-softmax'],
    }),
  ],
  [
    'long names',
    exampleReport({ classes: 35, nameOf: (k) => `Averyverylongnamewithoutanyplacetobreakit number ${k}` }),
  ],
  ['150 classes', exampleReport({ classes: 150 })],
  ['1000 classes', exampleReport({ classes: 1000, nameOf: (k) => `class ${k}` })],
  ['hostile names', exampleReport({ classes: 6, nameOf: (k) => `${HOSTILE} ${k}` })],
];

describe('the page in a browser', () => {
  it.each(EXAMPLES)(
    '%s: no errors, no requests, no script, nothing too wide, neither on a phone',
    async (_, report) => {
      for (const viewport of [{ width: 1280, height: 900 }, PHONE]) {
        const { page, problems, asked } = await see(report, { viewport });
        expect(problems).toEqual([]);
        expect(asked).toEqual([]);
        expect(await overflowing(page)).toEqual({ wide: 0, cut: [] });
        await page.evaluate('for (const one of document.querySelectorAll("details")) one.open = true');
        expect(await overflowing(page)).toEqual({ wide: 0, cut: [] });
        expect(await page.evaluate('window.hit')).toBeUndefined();
        expect(await page.locator('script').count()).toBe(0);
        expect(await page.locator('figure svg[role="img"]').count()).toBeGreaterThan(9);
        await page.context().close();
      }
    },
  );

  it('takes the standard error of the least certain loss', () => {
    const example = exampleReport({ classes: 2, arms: ['ib'] });
    const [given] = example.history;
    const metricsOfAll = (confusion: number[][]) =>
      given && { ...given, ...metricsOf(scoredOf(confusion), { trainCounts: [2000, 20] }) };
    const sure = metricsOfAll([
      [20, 0],
      [20, 0],
    ]);
    const unsure = metricsOfAll([
      [10, 10],
      [10, 10],
    ]);
    const arms = example.arms.map((arm) => ({ ...arm, metrics: unsure ?? null }));
    // √(2 · ½·½/20) / 2
    expect(renderReport({ ...example, before: sure ?? null, arms })).toContain('a standard error of up to 7.9 points');
  });

  it('stays below 5 MB, also for 10 000 classes', () => {
    for (const [name, report] of EXAMPLES) expect(renderReport(report).length, name).toBeLessThan(1.5e6);
    const one = exampleReport({ classes: 2, epochs: 2000 });
    expect(renderReport(one).length).toBeLessThan(2e6);
    const classes = Array.from({ length: 10_000 }, (_, k) => ({ name: `class ${k}`, count: 1 + (k % 300) }));
    const wide = <T extends { readonly recall: readonly (number | null)[] }>(metrics: T): T => ({
      ...metrics,
      recall: classes.map((_, k) => (k % 7) / 7),
      confusion: null,
      mistakes: [],
    });
    const many: Report = {
      ...one,
      classes,
      before: one.before && wide(one.before),
      arms: one.arms.map((arm) => ({ ...arm, metrics: arm.metrics && wide(arm.metrics) })),
      history: one.history.map(wide),
    };
    expect(renderReport(many).length).toBeLessThan(5e6);
  });

  it('shows hostile names as they are, with what turns text made visible', async () => {
    const { page } = await see(exampleReport({ classes: 6, nameOf: (k) => `${HOSTILE} ${k}` }));
    expect(await page.title()).toContain('</title></style></script><script>window.hit = 1</script>');
    const text = String(await page.locator('#classes tbody th').first().textContent());
    expect(text).toContain('<b>bold</b> 0');
    expect(text).toContain('\\u202eevil\\u0007');
    expect(await page.locator('b:text-is("bold")').count()).toBe(0);
    await page.context().close();
  });

  it('follows the colour scheme, with texts that can be read in both', async () => {
    const backgrounds: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await see(exampleReport({ classes: 10 }), { colorScheme });
      backgrounds.push(String(await page.evaluate('getComputedStyle(document.body).backgroundColor')));
      const low = await page.evaluate(LOW_CONTRASTS);
      expect(low, colorScheme).toEqual([]);
      await page.context().close();
    }
    expect(backgrounds).toEqual(['rgb(245, 245, 242)', 'rgb(16, 18, 22)']);
  });

  it('has a title, a language, headings in order, names for all charts and tables, and heads for rows and columns', async () => {
    const { page } = await see(exampleReport({ classes: 10 }));
    expect(await page.evaluate('document.documentElement.lang')).toBe('en');
    expect(await page.title()).toBe('0.onnx, fine-tuned with ib');
    const levels = (await page.evaluate(
      `[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.tagName[1]))`,
    )) as number[];
    expect(levels[0]).toBe(1);
    expect(levels.every((level, i) => i === 0 || level <= (levels[i - 1] ?? 0) + 1)).toBe(true);
    expect(await page.locator('svg:not([aria-label])').count()).toBe(0);
    expect(await page.locator('img:not([alt])').count()).toBe(0);
    expect(await page.locator('table:not(:has(caption))').count()).toBe(0);
    expect(await page.locator('th:not([scope])').count()).toBe(0);
    await page.context().close();
  });
});

/** Texts whose contrast with what is behind them is below WCAG 2.1's 4.5 to 1; large ones 3 to 1. */
const LOW_CONTRASTS = `(() => {
  const rgba = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = color.map((level) => (level / 255 <= 0.04045 ? level / 255 / 12.92 : ((level / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility() || one.tagName === 'title') continue;
    const style = getComputedStyle(one);
    // Numbers in coloured cells are not told from their backgrounds here.
    if (one.closest('#confusion svg')) continue;
    const color = rgba(one.closest('svg') ? (style.fill === 'none' ? style.color : style.fill) : style.color).slice(0, 3);
    const [a, b] = [luminance(color), luminance(behind(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) low.push([one.textContent.slice(0, 20), ratio.toFixed(2)]);
  }
  return low;
})()`;
