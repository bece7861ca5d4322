import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');

function train(folder: string, ...more: readonly string[]) {
  const files = ['--data', join(DIGITS, 'train.npz'), '-o', join(folder, 'tuned.onnx')];
  return lossgraft([
    'train',
    join(DIGITS, 'model.onnx'),
    ...files,
    '--loss',
    'ib',
    '--write-anyway',
    '--epochs',
    '1',
    ...more,
  ]);
}

describe('train', () => {
  it('gives JSON for programs, and the notes to people', async () => {
    const folder = temporaryFolder();
    const { code, stdout, stderr } = await train(
      folder,
      '--json',
      '--baseline',
      '--alpha',
      'auto',
      '--test',
      join(DIGITS, 'test.npz'),
    );
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.files).toEqual([join(folder, 'tuned.onnx')]);
    expect(result.arms.map(({ name }: { name: string }) => name)).toEqual(['ib', 'ce+inverse']);
    expect(result.before.test.accuracy).toBeCloseTo(0.89, 10);
    expect(result.interrupted).toBe(false);
    expect(stderr).toMatch(/^before training: balanced accuracy 100.0 %/m);
    expect(stderr).toMatch(/^note: The given model is right on every validation sample/m);
    expect(readFileSync(join(folder, 'tuned.run/metrics.jsonl'), 'utf8').trim().split('\n').length).toBe(3);
  });

  it('shows people a table of before, after and the baseline', async () => {
    const shown = await train(temporaryFolder(), '--baseline', '--seed', '3');
    expect(shown.stdout).toMatch(/^Validation data, 83 samples/);
    expect(shown.stdout).toMatch(
      /^loss +epoch +balanced % +macro-F1 % +accuracy % +many % +medium % +few %\nbefore .*\nib .*\nce\+inverse /m,
    );
    expect(shown.stdout).toMatch(/^loss +G-mean % +MCC +PR-AUC % +ROC-AUC % +log loss +ECE %\nbefore /m);
    expect(shown.stdout).toMatch(/^ib: balanced accuracy .* \(.* to .*\).*; macro-F1 /m);
    expect(shown.stdout).toMatch(
      /^Class \d has \d of these samples: with fewer than 4 the intervals are too narrow\.$/m,
    );
    expect(shown.stdout).toMatch(/^class +training samples +before % +ib % +ce\+inverse %\n0 +104 /m);
  });

  it.each([
    [['--alpha', 'some'], /--alpha expects a number, or auto, and found "some"/],
    [['--compare', 'ip'], /option compare.*"ip"/],
    [['--recipe', 'ib-imagenet'], /recipe/],
    [['--batch-size', '0'], /option batch-size/],
    [['--validation', '2'], /option validation/],
    [['--ib-rate-factor', '0.1', '--ib-from', '1'], /option ib-from/],
    [['--imbalance', '50'], /class \d would have none/],
    [['--milestones', '1,x'], /--milestones expects numbers separated by commas, and found "1,x"/],
  ])('refuses %s', async (more, message) => {
    const folder = temporaryFolder();
    const { code, stderr } = await train(folder, ...more);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, 'tuned.onnx'))).toBe(false);
  });
});
