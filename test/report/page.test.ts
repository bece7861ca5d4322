import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GateVerdict } from '../../src/metrics/gate.ts';
import type { RunDecision } from '../../src/records/decision.ts';
import { type DetailedMetrics, detailedMetricsOf, metricsOf } from '../../src/records/metrics.ts';
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

const detailed = (
  confusion: readonly (readonly number[])[],
  before?: readonly (readonly number[])[],
): DetailedMetrics =>
  detailedMetricsOf(scoredOf(confusion), {
    trainCounts: [200, 20],
    seed: 0,
    ...(before ? { before: scoredOf(before) } : {}),
  });

describe('the headline', () => {
  const example = exampleReport({ classes: 2, arms: ['ib'] });
  const verdict: GateVerdict = {
    decision: 'keep',
    why: 'macro-F1 fell by 3.0 points',
    balancedAccuracy: 0.02,
    macroF1: -0.03,
    joint: -0.005,
    jointBetter: 0.4,
    macroF1Better: 0.1,
    balancedAccuracyBetter: 0.7,
    rarest: { class: 1, samples: 20 },
  };
  const tried = (share: number, decision: GateVerdict['decision']) => ({
    arm: 'ib',
    share,
    verdict: { ...verdict, decision },
    collapse: null,
  });
  const read = async (report: Report, place = '#result'): Promise<string> => {
    const { page } = await see(report);
    const text = String(await page.locator(place).allInnerTexts());
    await page.context().close();
    return text.replaceAll(/\s+/g, ' ');
  };
  const withModels = (before: readonly (readonly number[])[], after: readonly (readonly number[])[]): Report => ({
    ...example,
    before: detailed(before),
    arms: example.arms.map((arm) => ({ ...arm, metrics: detailed(after, before) })),
  });

  it('is what is written with its intervals, what was gained, and what was paid', async () => {
    const report = withModels(
      [
        [400, 0],
        [80, 20],
      ],
      [
        [340, 60],
        [10, 90],
      ],
    );
    const text = await read(report);
    expect(text).toContain('This run writes ib');
    // Recalls: 100 and 20 before, 85 and 90 after. Their means: 60 and 87.5.
    expect(text).toMatch(/balanced accuracy 60\.0 87\.5 % \+27\.5 points, 95 % interval \+\d+\.\d to \+\d+\.\d/i);
    const [, gained = '', paid = ''] = /Gained(.*)Paid(.*)By frequency/.exec(text) ?? [];
    expect(gained).toContain('1: recall 20.0 to 90.0 %');
    expect(paid).toContain('0: recall 100.0 to 85.0 %');
    expect(paid).toContain('1: precision 100.0 to 60.0 %');
  });

  it('proclaims no noise: a difference that chance may give is none', async () => {
    const report = withModels(
      [
        [19, 1],
        [9, 11],
      ],
      [
        [18, 2],
        [8, 12],
      ],
    );
    const { decision } = example;
    const text = await read({
      ...report,
      decision: decision && { ...decision, why: 'too few to tell', candidates: [] },
    });
    expect(text).toMatch(/balanced accuracy 75\.0 75\.0 % the data cannot show a difference: ±0\.0 points/i);
    expect(text).toMatch(/Gained Nothing beyond noise\. Paid Nothing beyond noise\./);
    expect(text).not.toMatch(/better|best/i);
  });

  it('says that nothing is written, why, and what was tried', async () => {
    const why = 'with ib, macro-F1 fell by 3.0 points';
    const decision: RunDecision = {
      taken: null,
      file: null,
      why,
      candidates: [tried(1, 'keep'), { ...tried(0.5, 'keep'), collapse: 'it takes every sample for class 0' }],
      newness: null,
      warning: 'These data are not new',
    };
    const report = { ...example, decision };
    const text = await read(report);
    expect(text).toContain('Not better: this run writes no model');
    expect(text).toContain(`On 40 validation samples, ${why}.`);
    expect(text).toContain('These data are not new.');
    expect(text).toMatch(/ib \+2\.0 −3\.0 40\.0 refused ib, half-way .* refused: it takes every sample for class 0/);
    expect(text).not.toContain('written');
  });

  it('of weights half-way shows theirs, not the trained ones', async () => {
    const before = [
      [400, 0],
      [80, 20],
    ];
    const report: Report = {
      ...withModels(before, [
        [200, 200],
        [0, 100],
      ]),
      half: detailed(
        [
          [380, 20],
          [20, 80],
        ],
        before,
      ),
      decision: {
        taken: { arm: 'ib', share: 0.5 },
        file: 'half',
        why: 'with ib and weights half-way between before and after, better',
        candidates: [tried(1, 'keep'), tried(0.5, 'take')],
        newness: null,
        warning: null,
      },
    };
    const text = await read(report);
    expect(text).toContain('This run writes ib, its weights half-way between before and after');
    expect(text).toMatch(/balanced accuracy 60\.0 87\.5 %/i);
    expect(text).toMatch(/ib, half-way 87\.5 % ?written/);
    expect(await read(report, '#classes')).toContain('ib, half-way against');
  });

  it('has the command lines that made and repeat the run at hand, and of a program what there is', async () => {
    const command = `lossgraft train 'my net.onnx' --data d.csv`;
    const origin = { command, workingFolder: '/home/user', repeat: 'my net.run/run.json' };
    const both = await read({ ...example, origin }, '#details');
    expect(both).toContain(command);
    expect(both).toContain("lossgraft train --config 'my net.run/run.json' -o again.onnx");
    expect(both).toContain('In /home/user.');
    const program = await read({ ...example, origin: { ...origin, command: null, repeat: null } }, '#details');
    expect(program).toContain('that program repeats the run');
    expect(program).not.toContain('lossgraft train');
    expect(await read({ ...example, origin: null }, '#details')).not.toContain('The command');
  });
});

describe('on a phone', () => {
  it('wide tables scroll by themselves, with the first column in sight; influence and long lists open on demand', async () => {
    const { page } = await see(exampleReport({ classes: 10 }), { viewport: PHONE });
    const table = page.locator('.scroll:has(caption:text-is("Accuracies of every loss"))');
    const place = async (cell: string): Promise<number> =>
      Number(await table.evaluate((one, c) => one.querySelector(c)?.getBoundingClientRect().left ?? -1, cell));
    const before = [await place('tbody th'), await place('tbody td:last-child')];
    await table.evaluate((one) => {
      one.scrollLeft = 80;
    });
    expect(await place('tbody th')).toBeCloseTo(before[0] ?? -1, 0);
    expect(await place('tbody td:last-child')).toBeCloseTo((before[1] ?? -1) - 80, 0);
    const cards = page.locator('#influence .samples li');
    expect(await cards.first().isVisible()).toBe(false);
    await page.locator('#influence > details > summary').click();
    expect(await cards.first().isVisible()).toBe(true);
    expect(await cards.nth(6).isVisible()).toBe(false);
    await page.locator('#influence summary:text-is("18 more")').click();
    expect(await cards.nth(23).isVisible()).toBe(true);
    await page.context().close();
  });

  it('a row of a table shows its unusual cells, the others on demand', async () => {
    const { page } = await see(exampleReport({ classes: 3 }), { viewport: PHONE });
    const card = page.locator('#confusion .samples li.cells').first();
    expect(await card.locator('tr:visible').allInnerTexts()).toHaveLength(3);
    expect((await card.locator('tr').allInnerTexts())[0]).toMatch(/usually −1 to 2/);
    await card.locator('summary').click();
    expect(await card.locator('tr:visible').count()).toBe(9);
    expect((await card.allInnerTexts()).join()).toContain('2 cells are left out');
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
