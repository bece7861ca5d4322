import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EpochRecord,
  fromTensors,
  METRICS,
  type MetricName,
  open,
  openData,
  type Tensor,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { launchChromium, visit } from '../support/browser.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');
const SMALL = {
  loss: 'ib',
  epochs: 3,
  ibFrom: 1,
  ibRateFactor: 0.5,
  batchSize: 32,
  learningRate: 0.05,
  baseline: true,
  compare: ['ce'],
} as const;

async function run(options: Partial<TrainOptions> & { readonly folder: string }): Promise<TrainResult> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  const test = await openData(join(DIGITS, 'test.npz'));
  try {
    return await train(model, { ...SMALL, data, test, ...options });
  } finally {
    for (const one of [data, test, model]) one.close();
  }
}

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

async function look(path: string): Promise<Page> {
  const { page, problems } = await visit(browser, `file://${path}`);
  expect(problems).toEqual([]);
  return page;
}

/** A table's cells, head first, by the start of its caption. */
async function cells(page: Page, caption: string): Promise<string[][]> {
  return (await page.evaluate(`[...document.querySelectorAll('table')]
    .filter((one) => one.caption.textContent.startsWith(${JSON.stringify(caption)}))
    .slice(0, 1)
    .flatMap((one) => [...one.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())))`)) as string[][];
}

const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? '–' : (100 * share).toFixed(1);

/** What is written or why nothing is, curves, thresholds and mistakes: as the run's checkpoint has them. */
async function expectDecision(page: Page, folder: string): Promise<void> {
  const { outcome } = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));
  const { decision, curves, mistakes } = outcome;
  const said = String(await page.locator('#result').allInnerTexts());
  expect(said).toContain(decision.taken === null ? 'Not better: this run writes no model' : 'This run writes');
  expect(said).toContain(decision.why);
  const rows = (await cells(page, 'Thresholds of classes')).slice(1);
  // Of classes with fewer than 4 validation samples no threshold is told.
  expect(curves.after).toHaveLength(6);
  expect(rows.length).toBeLessThan(6);
  expect(rows.map(([name, threshold]) => [name, threshold])).toEqual(
    curves.points.map((one: { class: number; threshold: number }) => [String(one.class), percent(one.threshold)]),
  );
  expect(await page.locator('#precision figure svg.plot').count()).toBeGreaterThanOrEqual(7);
  expect(await page.locator('#confusion .where').allTextContents()).toEqual(
    mistakes.map(({ where }: { where: string }) => where),
  );
  const sure = mistakes.map(({ probability }: { probability: number }) => probability);
  expect(sure).toEqual(sure.toSorted((a: number, b: number) => b - a));
  // A sample is wrong where its own class is less likely than the one it is taken for.
  for (const { label, predicted, probability, truth } of mistakes) {
    expect(label).not.toBe(predicted);
    expect(probability).toBeGreaterThanOrEqual(truth);
  }
}

describe('the page of a run', () => {
  it('shows what the run recorded', async () => {
    const folder = temporaryFolder();
    const result = await run({ folder });
    expect(result.report).toBe(join(folder, 'report.html'));
    const history: EpochRecord[] = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const page = await look(join(folder, 'report.html'));
    const judged = [result.before.test, ...result.arms.map(({ test }) => test)];
    const names = ['as given', ...result.arms.map(({ name }) => name)];
    expect((await cells(page, 'Accuracies')).slice(1).map(([name, , ...figures]) => [name, ...figures])).toEqual(
      judged.map((m, i) => [
        names[i],
        ...[m?.balancedAccuracy, m?.macroF1, m?.accuracy, m?.many, m?.medium, m?.few].map(percent),
      ]),
    );
    const epochs = (await cells(page, 'All epochs')).slice(1);
    expect(epochs.map(([arm, epoch]) => [arm, Number(epoch)])).toEqual(history.map(({ arm, epoch }) => [arm, epoch]));
    expect(epochs.map((row) => row[6])).toEqual(history.map(({ balancedAccuracy }) => percent(balancedAccuracy)));
    expect((await cells(page, 'Recall by class')).slice(1)).toEqual(
      result.classCounts.map((count, k) => [
        String(k),
        String(count),
        count > 100 ? 'many' : count < 20 ? 'few' : 'medium',
        ...judged.map((m) => percent(m?.recall[k])),
      ]),
    );
    const figures = (await cells(page, 'Metrics of every loss')).slice(1);
    expect(figures.map(([name]) => name)).toEqual(
      (Object.keys(METRICS) as MetricName[])
        .filter((name) => typeof judged[0]?.[name] === 'number')
        .map((name) => `${METRICS[name].title}${METRICS[name].isShare ? ' %' : ''}`),
    );
    const [, , f1] = figures;
    for (const [i, m] of judged.entries()) {
      const [{ low, high } = {}, change] = [m?.intervals.macroF1 ?? {}, m?.change?.metrics.macroF1];
      const word = change && change.low > 0 ? ' better' : change && change.high < 0 ? ' worse' : '';
      expect(f1?.[i + 1]).toBe(`${percent(m?.macroF1)}${word}${percent(low)} to ${percent(high)}`);
    }
    const [own] = result.arms;
    expect((await cells(page, 'ib, class by class')).slice(1).map((row) => row.slice(2))).toEqual(
      result.classCounts.map((_, k) => {
        const { precision, f1: f, averagePrecision, rocAuc } = own?.test?.classes ?? {};
        return [own?.test?.recall, precision, f, averagePrecision, rocAuc].map((values) => percent(values?.[k]));
      }),
    );
    const matrix = (await cells(page, 'Confusion matrix, ib')).slice(1).map((row) => row.slice(1).map(Number));
    expect(matrix).toEqual(result.arms[0]?.test?.confusion);
    expect(await page.locator('#influence .samples img.pixels').count()).toBe(24);
    const influence = result.influence && 'top' in result.influence ? result.influence.top : [];
    const shown = await page.locator('#influence .where').allTextContents();
    expect(shown).toEqual(influence.map(({ where }) => where));
    await expectDecision(page, folder);
    const texts = String(await page.locator('#details').textContent());
    for (const part of ['batch size', '32', '416 samples', process.versions.node, 'medium-shot classes', '1.30.0'])
      expect(texts).toContain(part);
  });

  it('is there where a run was interrupted, and written again when it goes on', async () => {
    const folder = temporaryFolder();
    const stop = new AbortController();
    let left = 8;
    const onProgress = (): void => {
      left -= 1;
      if (left === 0) stop.abort();
    };
    const cut = await run({ folder, signal: stop.signal, onProgress });
    expect(cut.interrupted).toBe(true);
    const before = await look(join(folder, 'report.html'));
    expect(await before.locator('.banner').count()).toBe(1);
    expect(await before.locator('#influence').textContent()).toContain('Measured when the run is done');
    expect((await cells(before, 'All epochs')).length - 1).toBe(cut.history.length);
    const whole = await run({ folder, mode: 'resume' });
    const after = await look(join(folder, 'report.html'));
    expect(await after.locator('.banner').count()).toBe(0);
    expect((await cells(after, 'All epochs')).length - 1).toBe(whole.history.length);
    expect(await after.locator('.tile').count()).toBe(4);
    const bytes = readFileSync(join(folder, 'report.html'));
    await run({ folder, mode: 'resume' });
    expect(readFileSync(join(folder, 'report.html')).equals(bytes)).toBe(true);
  });

  it('before the first epoch is done it says so', async () => {
    const folder = temporaryFolder();
    const stop = new AbortController();
    await run({ folder, signal: stop.signal, onProgress: () => stop.abort(), stepsPerRun: 1 });
    const page = await look(join(folder, 'report.html'));
    expect(await page.locator('#training').textContent()).toContain('No epoch is done yet');
    expect(await page.locator('.verdict').textContent()).toContain('interrupted before ib was judged');
  });

  it('goes where it is told, or nowhere; a folder that is not there is told before training', async () => {
    const folder = temporaryFolder();
    const elsewhere = join(temporaryFolder(), 'page.html');
    const { report } = await run({ folder, epochs: 2, report: elsewhere });
    expect([report, existsSync(elsewhere), existsSync(join(folder, 'report.html'))]).toEqual([elsewhere, true, false]);
    const without = temporaryFolder();
    expect((await run({ folder: without, epochs: 2, report: false })).report).toBe(null);
    expect(existsSync(join(without, 'report.html'))).toBe(false);
    const begun = temporaryFolder();
    await expect(run({ folder: begun, report: join(begun, 'no/page.html') })).rejects.toThrow(/a folder to write into/);
    expect(existsSync(join(begun, 'checkpoint.json'))).toBe(false);
  });

  it('of a run that a loss without bounds ended says so', async () => {
    const folder = temporaryFolder();
    const broken = run({ folder, loss: 'focal', baseline: false, compare: [], learningRate: 1e12, epochs: 9 });
    await expect(broken).rejects.toThrow(/a finite loss|finite weights/);
    const page = await look(join(folder, 'report.html'));
    expect(await page.locator('.banner').textContent()).toMatch(/Ended by an error\. .*learning rate/);
  });

  it('of a model without features says that influence cannot be told', async () => {
    const folder = temporaryFolder();
    const model = await open(join(ROOT, 'fixtures/hosts/relu-after-opset17.onnx'));
    const rows = 40;
    const x: Tensor = {
      dtype: 'float32',
      dims: [rows, 6],
      data: Float32Array.from({ length: 6 * rows }, (_, i) => Math.sin(i)),
    };
    const classes = 3;
    const labels: Tensor = {
      dtype: 'int64',
      dims: [rows],
      data: BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % classes)),
    };
    const { influence } = await train(model, { data: fromTensors({ x, labels }), folder, loss: 'ce', epochs: 1 });
    model.close();
    expect(influence).toMatchObject({ missing: expect.stringContaining('an activation after the last linear layer') });
    const page = await look(join(folder, 'report.html'));
    expect(await page.locator('#influence').textContent()).toMatch(
      /Not measured.*an activation after the last linear layer/,
    );
  });
});

describe('train', () => {
  const files = (folder: string): string[] => [
    'train',
    join(DIGITS, 'model.onnx'),
    '--data',
    join(DIGITS, 'train.npz'),
    '-o',
    join(folder, 'tuned.onnx'),
    '--epochs',
    '1',
    '--folds',
    '1',
    '--write-anyway',
  ];

  it('says where the page is', async () => {
    const folder = temporaryFolder();
    const { stdout } = await lossgraft(files(folder));
    const path = join(folder, 'tuned.run/report.html');
    expect(stdout).toContain(`; the report is ${path}`);
    expect(statSync(path).size).toBeGreaterThan(50_000);
    const own = join(folder, 'page.html');
    const { stdout: second } = await lossgraft([...files(folder), '--force', '--report', own, '--json']);
    expect(JSON.parse(second).report).toBe(own);
    const { code, stderr } = await lossgraft([
      ...files(join(folder)).with(5, join(folder, 'other.onnx')),
      '--report',
      own,
    ]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('page.html')]);
  });

  it('--no-report', async () => {
    const folder = temporaryFolder();
    const { stdout, code } = await lossgraft([...files(folder), '--no-report']);
    expect(code).toBe(0);
    expect(stdout).not.toContain('report');
    expect(existsSync(join(folder, 'tuned.run/report.html'))).toBe(false);
    const both = await lossgraft([...files(folder), '--force', '--no-report', '--report', join(folder, 'x.html')]);
    expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/--no-report contradicts --report/)]);
  });
});
