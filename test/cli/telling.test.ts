import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const TRAIN = [
  'train',
  join(DIGITS, 'model.onnx'),
  '--data',
  join(DIGITS, 'train.npz'),
  '--epochs',
  '1',
  '--folds',
  '1',
  '--write-anyway',
];

describe('--quiet and --log-file', () => {
  it('keep stderr empty, and everything that was said in a file, with times', async () => {
    const folder = temporaryFolder();
    const log = join(folder, 'train.log');
    const how = ['-o', join(folder, 'tuned.onnx'), '--quiet', '--log-file', log];
    const { code, stdout, stderr } = await lossgraft([...TRAIN, ...how]);
    expect([code, stderr]).toEqual([0, '']);
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z( |$)/);
    const said = lines.map((line) => line.slice(25)).join('\n');
    expect(said).toMatch(/^lossgraft train .* --quiet --log-file /);
    expect(said).toMatch(/\nnote: Method half.*\nbefore training: .*\nlogit-adjustment epoch 1 .*\n/s);
    expect(said).toContain(stdout.trimEnd());
    expect(said).toMatch(/\nexit status 0$/);
    expect((await lossgraft([...TRAIN, ...how])).code).toBe(2);
    const after = readFileSync(log, 'utf8');
    expect(after.startsWith(lines.join('\n'))).toBe(true);
    expect(after).toMatch(/ lossgraft: \[.*tuned\.onnx\] .*\n.* exit status 2\n$/);
  });

  it('errors are said all the same, also that there can be no such file', async () => {
    const { code, stderr } = await lossgraft(['inspect', 'none.onnx', '--quiet']);
    expect(stderr).toMatch(/^lossgraft: \[none\.onnx\] /);
    expect(code).toBe(2);
    const other = await lossgraft(['inspect', join(DIGITS, 'model.onnx'), '--log-file', 'no/such/folder/log']);
    expect(other.stderr).toMatch(/\[no\/such\/folder\/log\] expected a log file that can be written, found ENOENT/);
    expect(other.code).toBe(2);
  });
});
