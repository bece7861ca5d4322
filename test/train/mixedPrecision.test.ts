import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openData, type TrainOptions, type TrainProgress, type TrainResult, train } from '../../src/index.ts';
import { open } from '../../src/model.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const HOW = {
  epochs: 2,
  batchSize: 16,
  stepsPerRun: 2,
  learningRate: 0.02,
  loss: 'ib',
  folds: 1,
  report: false,
} as const;

interface Run {
  readonly result: TrainResult;
  readonly folder: string;
  readonly bytes: Buffer | undefined;
}

async function run(options: Partial<TrainOptions>, folder = temporaryFolder()): Promise<Run> {
  using model = await open(join(DIGITS, 'model.onnx'));
  using data = await openData(join(DIGITS, 'train.npz'));
  const result = await train(model, { ...HOW, ...options, data, folder });
  if (result.interrupted) return { result, folder, bytes: undefined };
  const out = join(folder, 'tuned.onnx');
  await result.write(out, { force: true, anyway: true });
  return { result, folder, bytes: readFileSync(out) };
}

describe('training in mixed precision', () => {
  it('counts skipped steps in events, metrics and notes, and goes on with the same bytes', {
    timeout: 60_000,
  }, async () => {
    const heard: TrainProgress[] = [];
    const whole = await run({ precision: 'mixed', onProgress: (progress) => heard.push(progress) });
    const last = heard.at(-1);
    // The influence-balanced loss weighs samples by factors beyond float16, times a scale of 65536 at first.
    expect(last?.skippedSteps).toBeGreaterThan(0);
    expect(last?.lossScale).toBe(65536 / 2 ** (last?.skippedSteps ?? 0));
    const records = readFileSync(join(whole.folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(records.at(-1) ?? '')).toMatchObject({
      skippedSteps: last?.skippedSteps,
      lossScale: last?.lossScale,
    });
    const notes = whole.result.notes.join('\n');
    expect(notes).toMatch(/rounded on the CPU: slower/);
    expect(notes).toContain(`mixed precision skipped ${last?.skippedSteps} steps`);

    const stop = new AbortController();
    const onProgress = ({ done }: TrainProgress): void => {
      if (done >= 20) stop.abort();
    };
    const cut = await run({ precision: 'mixed', onProgress, signal: stop.signal });
    expect(cut.result.interrupted).toBe(true);
    const resumed = await run({ precision: 'mixed', mode: 'resume' }, cut.folder);
    expect(resumed.bytes?.equals(whole.bytes ?? Buffer.alloc(0))).toBe(true);
    await expect(run({ mode: 'resume' }, cut.folder)).rejects.toThrow(/precision/);
  });

  it('says nothing of skipped steps in bfloat16, which needs no scale, and differs from float32', async () => {
    const heard: TrainProgress[] = [];
    const onProgress = (progress: TrainProgress): void => void heard.push(progress);
    const { bytes } = await run({ precision: 'mixed-bfloat16', epochs: 1, loss: 'ce', onProgress });
    expect(heard.every((progress) => !('skippedSteps' in progress))).toBe(true);
    const { bytes: float32 } = await run({ epochs: 1, loss: 'ce' });
    expect(bytes?.equals(float32 ?? Buffer.alloc(0))).toBe(false);
  });
});
