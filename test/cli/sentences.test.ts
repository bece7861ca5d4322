import { readFileSync } from 'node:fs';
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
  const trained = await lossgraft(['train', file('model.onnx'), ...data, '-o', tuned, ...how, ...more]);
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
