import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CliResult, lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');
const MODEL = join(DIGITS, 'model.onnx');

async function done(...args: string[]): Promise<CliResult> {
  const result = await lossgraft(args);
  expect([result.code, result.stderr]).toEqual([0, expect.any(String)]);
  return result;
}

it('training, predictions and figures are those of the data', async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const train = join(DIGITS, 'train.npz');
  const { stdout } = await done('shard', '--data', train, '-o', at('shards'), '--rows-per-shard', '100');
  expect(stdout).toContain('416 rows, 100 to a shard');
  for (const [name, data] of [
    ['data', train],
    ['shards', at('shards')],
  ] as const) {
    const tuned = [at(`${name}.onnx`), '--run', at(`${name}.run`), '--write-anyway'];
    await done('train', MODEL, '--data', data, '--loss', 'ib', '--epochs', '2', '--threads', '1', '-o', ...tuned);
    await done('predict', MODEL, '--data', data, '-o', at(`${name}.csv`), '--probabilities');
    await done('evaluate', MODEL, '--data', data, '--csv', at(`${name}-samples.csv`));
  }
  for (const name of ['.onnx', '.csv', '-samples.csv'])
    expect(readFileSync(at(`shards${name}`))).toEqual(readFileSync(at(`data${name}`)));
});

it('images come through the model’s folder, and predictions name their files', async () => {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const [model, images] = [join(ROOT, 'fixtures/folders/vit'), join(ROOT, 'fixtures/folders/images')];
  await done('shard', model, '--data', images, '-o', at('shards'), '--rows-per-shard', '2');
  await done('predict', model, '--data', images, '-o', at('data.jsonl'));
  await done('predict', model, '--data', at('shards'), '-o', at('shards.jsonl'));
  expect(readFileSync(at('shards.jsonl'), 'utf8')).toBe(readFileSync(at('data.jsonl'), 'utf8'));
});

it('a shard that was changed ends the command with one message', async () => {
  const folder = join(temporaryFolder(), 'shards');
  await done('shard', '--data', join(DIGITS, 'test.npz'), '-o', folder, '--json');
  const again = await lossgraft(['shard', '--data', join(DIGITS, 'test.npz'), '-o', folder]);
  expect([again.code, again.stderr]).toEqual([expect.any(Number), expect.stringContaining('--force')]);
  const { columns } = JSON.parse(readFileSync(join(folder, 'shards.json'), 'utf8'));
  const path = join(folder, columns[0].shards[0].file);
  const bytes = readFileSync(path);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const { code, stderr } = await lossgraft(['evaluate', MODEL, '--data', folder]);
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('as the index records')]);
  expect(code).not.toBe(0);
});
