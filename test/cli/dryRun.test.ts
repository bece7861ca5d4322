import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const [MODEL, MORE, TEST] = ['model.onnx', 'more.npz', 'test.npz'].map((name) => join(DIGITS, name));

function train(folder: string, ...more: readonly string[]) {
  return lossgraft(['train', MODEL ?? '', '--data', MORE ?? '', '--validation', '0.5', ...more], { cwd: folder });
}

describe('train --dry-run', () => {
  it('says what comes before the work, what would be done, and what it would take; nothing is written', async () => {
    const folder = temporaryFolder();
    const { code, stdout, stderr } = await train(folder, '-o', 'tuned.onnx', '--test', TEST ?? '', '--dry-run');
    expect(stderr).toMatch(/^note: Method half: .* 60 epochs/m);
    expect(stdout).toMatch(/^index +class +training samples\n +0 +0 +4\n/);
    expect(stdout).toMatch(/^loss +logit-adjustment: 60 epochs of 3 steps, 64 samples each; 120 epochs left in all$/m);
    expect(stdout).toMatch(/^samples +181 train, 185 choose and decide, 400 judge at the end$/m);
    expect(stdout).toMatch(/^would write +tuned\.onnx, where it is better; tuned\.run$/m);
    expect(stdout).toMatch(/^time +about \d+:\d\d .*, by a few steps on this machine$/m);
    expect(stdout).toMatch(/^memory +about [1-9]\d* MiB$/m);
    expect(code).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('gives programs the estimate, which grows with the work', async () => {
    const folder = temporaryFolder();
    const estimateOf = async (epochs: string) => {
      const how = ['--dry-run', '--json', '--loss', 'ib', '--baseline', '--epochs', epochs, '-o', 'tuned.onnx'];
      return JSON.parse((await train(folder, ...how)).stdout);
    };
    const [short, long] = [await estimateOf('5'), await estimateOf('500')];
    expect(short).toMatchObject({
      arms: ['ib', 'ce+inverse'],
      epochsLeft: 10,
      stepsPerEpoch: 3,
      files: ['tuned.onnx'],
    });
    expect(long.epochsLeft).toBe(1000);
    expect(short.estimate.training).toBeGreaterThan(0);
    // The same steps are timed both times, on a machine that others use.
    const factor = long.estimate.training / short.estimate.training;
    expect(factor).toBeGreaterThan(100 / 8);
    expect(factor).toBeLessThan(100 * 8);
    expect(long.record.options.epochs).toEqual({ value: 500, from: 'command line' });
  });

  it('refuses what the run would refuse, and knows what is left of a run', async () => {
    const folder = temporaryFolder();
    const how = ['-o', 'tuned.onnx', '--epochs', '2', '--write-anyway', '--loss', 'ce'];
    expect((await train(folder, ...how)).code).toBe(0);
    const again = await train(folder, '-o', 'other.onnx', '--run', 'tuned.run', '--dry-run');
    expect(again.stderr).toMatch(/\[tuned\.run\] expected a folder that holds no run/);
    expect(again.code).toBe(2);
    const before = readdirSync(join(folder, 'tuned.run')).sort();
    const longer = ['train', '--resume', 'tuned.run', '--epochs', '5', '-o', 'longer.onnx', '--dry-run'];
    const { code, stdout } = await lossgraft(longer, { cwd: folder });
    expect(stdout).toMatch(/^loss +ce: 5 epochs of 3 steps, 64 samples each; 3 epochs left in all$/m);
    expect(code).toBe(0);
    expect(readdirSync(join(folder, 'tuned.run')).sort()).toEqual(before);
  });
});
