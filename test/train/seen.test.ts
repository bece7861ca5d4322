import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, train } from '../../src/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

/** A network with the data that it was trained on, and others: see generate.py there. */
const FOLDER = join(ROOT, 'fixtures/seen');
const [MODEL, TRAIN, TEST] = ['model.onnx', 'train.npz', 'test.npz'].map((name) => join(FOLDER, name)) as [
  string,
  string,
  string,
];

async function run(options: Partial<TrainOptions>, data = TRAIN) {
  using model = await open(MODEL);
  using given = await openData(data);
  using test = await openData(TEST);
  return await train(model, { report: false, threads: 1, test, ...options, data: given, folder: temporaryFolder() });
}

describe('held-out samples that the given model was trained on', () => {
  it('do not refuse the measured method, and the model is better on others', async () => {
    const { decision, before, refit, notes } = await run({});
    expect(decision?.candidates[0]?.verdict.decision).toBe('keep');
    expect(decision?.taken).toEqual({ arm: 'logit-adjustment', share: 1 });
    expect(decision?.newness).toBeLessThan(2);
    expect(decision?.why).toMatch(
      /^the held-out samples cannot judge logit-adjustment, as the given model seems to have been trained on them: it is right on 9\d\.\d % /,
    );
    expect(notes.join('\n')).toMatch(/finds the validation data no harder than the training data/);
    expect((refit?.test?.balancedAccuracy ?? 0) - (before.test?.balancedAccuracy ?? 1)).toBeGreaterThan(0.03);
    expect((refit?.test?.macroF1 ?? 0) - (before.test?.macroF1 ?? 1)).toBeGreaterThan(-0.005);
  }, 120_000);

  it('refuse another method, whose harm was never ruled out', async () => {
    const { decision } = await run({ loss: 'ib', learningRate: 0.05, epochs: 4 });
    expect(decision?.taken).toBeNull();
    expect(decision?.why).not.toMatch(/cannot judge/);
  }, 120_000);

  it('are no such samples where they are new', async () => {
    const { decision, notes } = await run({}, TEST);
    expect(decision?.why).not.toMatch(/cannot judge/);
    expect(decision?.warning === null).toBe((decision?.newness ?? 0) >= 2);
    using validation = await openData(TEST);
    const other = await run({ validation });
    expect(other.decision?.why).not.toMatch(/cannot judge/);
    expect(other.decision?.newness).toBeGreaterThan(2);
    expect([...notes, ...other.notes].join('\n')).not.toMatch(/seems to have been trained/);
  }, 120_000);

  it('the command line writes the model, and says so', async () => {
    const out = join(temporaryFolder(), 't.onnx');
    const { code, stdout, stderr } = await lossgraft(['train', MODEL, '--data', TRAIN, '-o', out, '--no-report']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('note: The given model finds the validation data')]);
    expect(stdout).toMatch(/^Taken: the held-out samples cannot judge logit-adjustment, as the given model seems/m);
    expect(readFileSync(out).equals(readFileSync(MODEL))).toBe(false);
  }, 120_000);
});
