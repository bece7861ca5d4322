import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type CliResult, lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const MODEL = join(ROOT, 'fixtures/data/categories/network.onnx');
const ROWS = 200_000;
const OF = 16;

async function done(...args: string[]): Promise<CliResult> {
  const result = await lossgraft(args);
  expect([result.code, result.stderr]).toEqual([0, expect.any(String)]);
  return result;
}

/** A table of numbers, texts and labels: rows of a fixture over and over, each with an age of its own. */
function largeTable(path: string): void {
  const [head = '', ...lines] = readFileSync(join(ROOT, 'fixtures/data/tables/whole.csv'), 'utf8').trim().split('\n');
  const ages = Array.from({ length: ROWS }, (_, row) => {
    const [person = '', , ...cells] = (lines[row % lines.length] ?? '').split(',');
    return [person, 18 + (row % 70), ...cells].join(',');
  });
  writeFileSync(path, `${[head, ...ages].join('\n')}\n`);
}

/** Starts a part and kills it as soon as it has begun to write. */
async function killed(folder: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/main.js'), ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const hasBegun = (): boolean =>
    existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('.07-of-16'));
  while (!hasBegun() && child.exitCode === null) await setTimeout(1);
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
}

it('200,000 rows in 16 parts, one killed and repeated, are those of one process', { timeout: 600_000 }, async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  largeTable(at('people.csv'));
  await done('shard', MODEL, '--data', at('people.csv'), '--categorical', 'zip', '-o', at('shards'));
  const predict = ['predict', MODEL, '--data', at('shards'), '--top-k', '2'];
  const part = (i: number): string[] => [...predict, '-o', at('merged.csv'), '--part', `${i}/${OF}`];
  const merge = ['-o', at('merged.csv'), '--merge'];
  await done(...predict, '-o', at('whole.csv'));
  await killed(at('merged.csv.parts'), part(7));
  for (let i = OF; i >= 1; i--) if (i !== 7) await done(...part(i));
  const early = await lossgraft([...predict, ...merge]);
  expect(early.code).not.toBe(0);
  expect(early.stderr).toContain('found 15: without 7/16. Run it again, with --part 7/16.');
  expect(existsSync(at('merged.csv'))).toBe(false);
  const { stdout } = await done(...part(7));
  expect(stdout).toContain('part 7/16: rows 75008 to 87551 of 200000');
  expect((await done(...part(7))).stdout).toContain('it is there already');
  await done(...predict, ...merge);
  expect(readFileSync(at('merged.csv')).equals(readFileSync(at('whole.csv')))).toBe(true);
  await done(...predict, '--parts', at('merged.csv.parts'), '--merge', '-o', at('merged.parquet'));
  await done(...predict, '-o', at('whole.parquet'));
  expect(readFileSync(at('merged.parquet')).equals(readFileSync(at('whole.parquet')))).toBe(true);
});

it('figures and losses: what is printed and written is that of one process', async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const [model, other] = ['model.onnx', 'model-dynamo.onnx'].map((name) => join(ROOT, 'fixtures/digits', name));
  const data = ['--data', join(ROOT, 'fixtures/digits/test.npz'), '--batch-size', '100'];
  await done('augment', model ?? '', '--loss', 'focal', '-o', at('augmented.onnx'));
  for (const [name, args, file] of [
    ['evaluate', [model ?? '', '--against', other ?? '', ...data], '--csv'],
    ['run', [at('augmented.onnx'), ...data], '--npz'],
  ] as const) {
    for (const i of [2, 3, 1]) await done(name, ...args, '--part', `${i}/3`, file, at(name));
    const merged = await done(name, ...args, '--merge', file, at(name), '--json');
    const whole = await done(name, ...args, file, at(`${name}-whole`), '--json');
    expect(merged.stdout).toBe(whole.stdout);
    expect(readFileSync(at(name))).toEqual(readFileSync(at(`${name}-whole`)));
  }
});

it('options of parts that would do nothing are refused', async () => {
  const data = ['predict', MODEL, '--data', join(ROOT, 'fixtures/data/tables/whole.csv')];
  const output = join(temporaryFolder(), 'x.csv');
  const refusals = [
    [['--part', '1/2'], '[option parts] expected a folder for the parts'],
    [['--parts', 'x'], 'expected --part or --merge with it'],
    [['--part', '3/2', '-o', output], 'i/n with i from 1 to n'],
    [['--part', '1/2', '--merge', '-o', output], 'either --part or --merge'],
  ] as const;
  for (const [args, message] of refusals) {
    const { code, stderr } = await lossgraft([...data, ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  }
});
