import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const SENTENCES = join(ROOT, 'fixtures/sentences');
const file = (name: string): string => join(SENTENCES, name);

it('a BERT learns from a CSV of sentences, and the tuned file reads others', async () => {
  const tuned = join(temporaryFolder(), 'tuned.onnx');
  const texts = ['--tokenizer', file('tokenizer.json')];
  const how = ['--loss', 'ce', '--class-weights', 'inverse', '--optimizer', 'adamw', '--learning-rate', '0.001'];
  const data = ['--data', file('train.csv'), '--test', file('test.csv'), ...texts];
  const more = ['--batch-size', '16', '--epochs', '6', '--select', 'last', '--json'];
  const trained = await lossgraft([
    'train',
    file('model.onnx'),
    ...data,
    '-o',
    tuned,
    '--write-anyway',
    ...how,
    ...more,
  ]);
  expect(trained.code, trained.stderr).toBe(0);
  const { before, arms, classNames, classCounts } = JSON.parse(trained.stdout);
  expect(classNames).toEqual(['food', 'music', 'weather']);
  expect(classCounts).toEqual([96, 32, 192]);
  expect(before.test.balancedAccuracy).toBeCloseTo(1 / 3, 6);
  expect(arms[0].test.balancedAccuracy).toBeGreaterThan(0.9);
  expect(readFileSync(tuned).length).toBeGreaterThanOrEqual(readFileSync(file('model.onnx')).length);

  const augmented = join(temporaryFolder(), 'augmented.onnx');
  expect((await lossgraft(['augment', tuned, '-o', augmented, '--loss', 'ce'])).code).toBe(0);
  const args = ['run', augmented, '--data', file('test.csv'), '--classes', classNames.join(','), ...texts, '--json'];
  const ran = await lossgraft([...args, '--csv', join(temporaryFolder(), 'samples.csv')]);
  expect(ran.code, ran.stderr).toBe(0);
  const { loss, samples } = JSON.parse(ran.stdout);
  expect(samples).toBe(120);
  expect(loss).toBeLessThan(0.5 * Math.log(3));
});

it('texts longer than the model has positions for: the longest that it takes is said, and that runs', async () => {
  const cwd = temporaryFolder();
  writeFileSync(
    join(cwd, 't.csv'),
    `text,label\n${Array.from({ length: 30 }, (_, i) => `one two,${i % 3}\n`).join('')}`,
  );
  const vocab = { '[PAD]': 0, one: 1, two: 2 };
  writeFileSync(
    join(cwd, 'tokenizer.json'),
    JSON.stringify({
      ...{ version: '1.0', added_tokens: [], normalizer: null, pre_tokenizer: { type: 'Whitespace' } },
      ...{ post_processor: null, decoder: null, model: { type: 'WordLevel', vocab, unk_token: '[PAD]' } },
    }),
  );
  const model = join(ROOT, 'fixtures/heads/positions.onnx');
  const data = ['--data', 't.csv', '--tokenizer', '.', '--max-length'];
  const how = ['--loss', 'ce', '--epochs', '1', '--no-report', '--write-anyway', '-o', 'tuned.onnx'];
  const augmented = await lossgraft(['augment', model, '-o', 'ce.onnx', '--loss', 'ce'], { cwd });
  expect(augmented.code, augmented.stderr).toBe(0);
  for (const args of [
    ['train', model, ...how, '--trainable', 'head', ...data],
    ['train', model, ...how, '--trainable', 'all', '--force', ...data],
    ['run', 'ce.onnx', ...data],
  ]) {
    const refused = await lossgraft([...args, '40'], { cwd });
    expect(refused.code).toBe(2);
    const told = refused.stderr.split('\n').find((line) => line.startsWith('lossgraft:')) ?? '';
    expect(told).toMatch(/expected at most 12 tokens per sample; .*found 40\. Cut texts with --max-length 12,/);
    expect(told.length).toBeLessThan(300);
    const done = await lossgraft([...args, '12'], { cwd });
    expect(done.code, done.stderr).toBe(0);
  }
});

it('texts of another length than the one that the model reads', async () => {
  const { stderr } = await lossgraft([
    ...['train', file('model.onnx'), '--data', file('train.csv'), '-o', join(temporaryFolder(), 't.onnx')],
    ...['--tokenizer', SENTENCES, '--max-length', '500'],
  ]);
  expect(stderr).toMatch(/expected int64\[N, 20\], found int64\[400, 500\]\. .* add --max-length 20/);
});

it('a folder without a tokenizer.json is named with what it holds', async () => {
  const { code, stderr } = await lossgraft([
    ...['train', file('model.onnx'), '--data', file('train.csv'), '-o', join(temporaryFolder(), 't.onnx')],
    ...['--tokenizer', join(ROOT, 'fixtures/digits')],
  ]);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /expected a tokenizer\.json, or a folder with one, found a folder with README\.md, .*save_pretrained/,
  );
});
