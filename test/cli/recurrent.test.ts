import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { open } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

/** See fixtures/recurrent/generate.py. */
const FOLDER = join(ROOT, 'fixtures/recurrent');

interface Trained {
  readonly rate: number;
  readonly epochs: number;
  /** Of each epoch, before its step. */
  readonly losses: readonly number[];
  /** Balanced accuracy on the test rows. */
  readonly before: number;
  readonly after: number;
}

const TRAINED: Readonly<Record<'lstm' | 'bag', Trained>> = JSON.parse(
  readFileSync(join(FOLDER, 'trained.json'), 'utf8'),
);

async function balancedAccuracy(model: string, data: string): Promise<number> {
  const { stdout, code } = await lossgraft(['evaluate', model, '--data', data, '--json']);
  expect(code).toBe(0);
  const shown = JSON.parse(stdout);
  return (shown.metrics ?? shown).balancedAccuracy;
}

it.each(['lstm', 'bag'] as const)('trains %s as PyTorch does, and changes the weights alone', async (name) => {
  const { rate, epochs, losses, before, after } = TRAINED[name];
  const folder = temporaryFolder();
  const file = (part: string): string => join(FOLDER, `${name}-${part}.npz`);
  const model = join(FOLDER, `${name}.onnx`);
  const tuned = join(folder, 'tuned.onnx');
  const recipe = `--loss ce --class-weights none --trainable all --optimizer sgd --momentum 0.9 --weight-decay 0 --batch-size 150 --select last`;
  const { code, stderr } = await lossgraft([
    ...['train', model, '--data', file('train'), '--validation', file('test'), '-o', tuned, ...recipe.split(' ')],
    ...['--learning-rate', String(rate), '--epochs', String(epochs)],
  ]);
  expect(stderr).not.toMatch(/^lossgraft:/m);
  expect(code).toBe(0);
  const metrics = readFileSync(join(folder, 'tuned.run/metrics.jsonl'), 'utf8').trim().split('\n');
  const ours = metrics.map((line) => JSON.parse(line)).filter(({ epoch }) => epoch > 0);
  expect(ours).toHaveLength(epochs);
  for (const [i, { trainLoss }] of ours.entries()) expect(trainLoss, `epoch ${i + 1}`).toBeCloseTo(losses[i] ?? 0, 3);
  expect(await balancedAccuracy(model, file('test'))).toBeCloseTo(before, 6);
  expect(await balancedAccuracy(tuned, file('test'))).toBeCloseTo(after, 2);
  expect(after).toBeGreaterThan(before + 0.2);
  await expectWeightsAlone(model, tuned);
});

/** Byte for byte, but for the elements of initializers. */
async function expectWeightsAlone(model: string, tuned: string): Promise<void> {
  const [own, other] = [readFileSync(model), readFileSync(tuned)];
  expect(other).toHaveLength(own.length);
  expect(Buffer.compare(own, other)).not.toBe(0);
  const { proto } = opened(await open(model));
  for (const { payload } of proto.graph.initializers) {
    if (payload.kind !== 'raw') continue;
    for (const file of [own, other]) file.fill(0, payload.offset, payload.offset + payload.length);
  }
  expect(Buffer.compare(own, other)).toBe(0);
}
