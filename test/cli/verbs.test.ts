import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDER = join(ROOT, 'fixtures/classifiers');
const [FOREST, OTHER, DATA] = ['forest.onnx', 'forest-other.onnx', 'data.csv'].map((name) => join(FOLDER, name)) as [
  string,
  string,
  string,
];

describe('evaluate', () => {
  it('prints tables, and says where the data cannot show a difference', async () => {
    const { code, stdout } = await lossgraft(['evaluate', FOREST, '--data', DATA, '--against', OTHER]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^metric +value +from +to +other model$/m);
    expect(stdout).toMatch(/^macro-F1 % .* worse$/m);
    expect(stdout).toMatch(/^PR-AUC % .* the data cannot show a difference$/m);
    expect(stdout).toMatch(/McNemar's exact test p = 0\.057, the data cannot show a difference$/m);
    expect(stdout).toMatch(/^cedar +birch +13 +100$/m);
  });

  it('prints JSON, and writes a line for each sample', async () => {
    const csv = join(temporaryFolder(), 'samples.csv');
    const { stdout } = await lossgraft(['evaluate', FOREST, '--data', DATA, '--json', '--csv', csv]);
    const { metrics, against, classNames } = JSON.parse(stdout);
    expect(classNames).toEqual(['ash', 'birch', 'cedar']);
    expect(metrics.intervals.macroF1.low).toBeLessThan(metrics.macroF1);
    expect(against).toBeNull();
    const [head, ...lines] = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect(head).toBe('row,label,predicted,probability,label_probability,right');
    expect(lines).toHaveLength(90);
    expect(lines.filter((line) => line.endsWith(',1')).length / 90).toBeCloseTo(metrics.accuracy, 12);
  });
});

describe('predict', () => {
  it('prints CSV, and the counts beside it', async () => {
    const { code, stdout, stderr } = await lossgraft(['predict', FOREST, '--data', DATA]);
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe('row,class,index,probability');
    expect(stdout.trimEnd().split('\n')).toHaveLength(91);
    expect(stderr).toMatch(/^birch +61 +67\.8$/m);
  });

  it('refuses a name that ends otherwise, and a file that is there', async () => {
    const folder = temporaryFolder();
    const bad = await lossgraft(['predict', FOREST, '--data', DATA, '-o', join(folder, 'p.xlsx')]);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('.csv, .jsonl or .parquet')]);
    const path = join(folder, 'p.parquet');
    const args = ['predict', FOREST, '--data', DATA, '-o', path];
    expect((await lossgraft(args)).code).toBe(0);
    expect((await lossgraft(args)).code).toBe(2);
    expect((await lossgraft([...args, '--force'])).code).toBe(0);
    expect(readdirSync(folder)).toEqual(['p.parquet']);
  });
});

describe('calibrate', () => {
  const CALIBRATE = join(ROOT, 'fixtures/calibrate');

  it('writes a model, and says what it does and costs', async () => {
    const output = join(temporaryFolder(), 'out.onnx');
    const args = ['calibrate', join(CALIBRATE, 'net.onnx'), '--data', join(CALIBRATE, 'validation.npz'), '-o', output];
    const { code, stdout } = await lossgraft(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^logit-adjustment with τ 1\.1, for macro-f1, in \S*bias; every other byte stays$/m);
    expect(stdout).toMatch(/each judged by a fit on the other 4 of 5 parts$/m);
    expect(stdout).toMatch(/^macro-F1 % .* better$/m);
    expect((await lossgraft(args)).code).toBe(2);
    const same = [...args.slice(0, -1), join(temporaryFolder(), 'same.onnx'), '--tau', '0'];
    const kept = await lossgraft(same);
    expect([kept.code, kept.stdout.endsWith('nothing is written\n')]).toEqual([1, true]);
    expect(kept.stderr).toMatch(/same\.onnx is not written: .* 80 % are asked for; --write-anyway writes it/);
    expect(existsSync(same.at(-3) ?? '')).toBe(false);
    expect((await lossgraft([...same, '--write-anyway'])).code).toBe(0);
    const bad = await lossgraft([...args, '--force', '--method', 'temperature', '--tau', '1']);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringMatching(/no τ with --method temperature/)]);
  });
});

it('run on a plain model names both', async () => {
  const { code, stderr } = await lossgraft(['run', FOREST, '--data', DATA]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/lossgraft evaluate for metrics on labelled data, and lossgraft predict for predictions/);
});
