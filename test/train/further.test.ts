import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, train } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const HOW = { loss: 'ce', compare: ['ib'], batchSize: 32, stepsPerRun: 2, report: false, threads: 1 } as const;

async function run(folder: string, options: Partial<TrainOptions>) {
  using model = await open(join(DIGITS, 'model.onnx'));
  using data = await openData(join(DIGITS, 'train.npz'));
  const result = await train(model, { ...HOW, ...options, data, folder } as TrainOptions);
  if (result.interrupted) return { result, bytes: undefined };
  const out = join(folder, 'tuned.onnx');
  await result.write(out, { force: true, anyway: true });
  return { result, bytes: readFileSync(out) };
}

/** Ends a run after so many progress reports. */
function interruptAfter(reports: number): Pick<TrainOptions, 'signal' | 'onProgress'> {
  const stop = new AbortController();
  let left = reports;
  const onProgress = (): void => {
    left -= 1;
    if (left === 0) stop.abort();
  };
  return { signal: stop.signal, onProgress };
}

const epochsOf = (
  history: readonly { readonly arm: string; readonly epoch: number; readonly validationLoss: number }[],
) => history.map(({ arm, epoch, validationLoss }) => `${arm} ${epoch} ${validationLoss}`).sort();

describe('a run that is resumed with more epochs', () => {
  it.each([
    ['is done', {}],
    ['was interrupted in its second loss', interruptAfter(9)],
  ])('and %s goes on with every loss: at a constant rate it becomes the longer run', async (_, stop) => {
    const whole = await run(join(temporaryFolder(), 'run'), { epochs: 3 });
    const folder = join(temporaryFolder(), 'run');
    const short = await run(folder, { epochs: 1, ...stop });
    expect(short.result.interrupted).toBe('signal' in stop);
    const notes: string[] = [];
    const further = await run(folder, { epochs: 3, mode: 'resume', onNote: (note) => notes.push(note) });
    expect(further.bytes).toEqual(whole.bytes);
    expect(epochsOf(further.result.history)).toEqual(epochsOf(whole.result.history));
    expect(further.result.arms.map(({ name, last }) => [name, last.epoch])).toEqual([
      ['ce', 3],
      ['ib', 3],
    ]);
    expect(notes).toContainEqual(expect.stringMatching(/^The run is trained further, from epoch 1 to 3, .* there on$/));
    const states = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
    expect(states.length).toBeLessThanOrEqual(4);
  });

  it('says that a falling rate makes it another run, and refuses fewer epochs and other settings', async () => {
    const folder = join(temporaryFolder(), 'run');
    await run(folder, { epochs: 2, schedule: 'cosine' });
    const notes: string[] = [];
    const onNote = (note: string): void => void notes.push(note);
    const { result } = await run(folder, { epochs: 3, schedule: 'cosine', mode: 'resume', onNote });
    expect(result.history.at(-1)).toMatchObject({ epoch: 3, arm: 'ib' });
    expect(notes).toContainEqual(
      expect.stringMatching(/The result is not that of a run of 3 epochs, whose rate falls more slowly/),
    );
    await expect(run(folder, { epochs: 2, schedule: 'cosine', mode: 'resume' })).rejects.toThrow(
      /setting schedule\.epochs/,
    );
    await expect(run(folder, { epochs: 4, schedule: 'cosine', mode: 'resume', seed: 1 })).rejects.toThrow(
      /setting seed/,
    );
  });
});
