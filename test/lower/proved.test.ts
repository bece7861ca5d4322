import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { inputPorts } from '../../src/data/samples.ts';
import { type EpochRecord, fromTensors, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import * as machine from '../../src/lower/machine.ts';
import { open } from '../../src/model.ts';
import { elementCount } from '../../src/tensor.ts';
import * as comparison from '../../src/trainer/disagreement.ts';
import { BLOCK, needsBlocks } from '../support/blocks.ts';
import { NETWORKS } from '../support/networks.ts';

vi.mock(import('../../src/lower/machine.ts'), { spy: true });
vi.mock(import('../../src/trainer/disagreement.ts'), { spy: true });

const BATCH = 4;

describe('a network is held against its plain form', needsBlocks, () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lossgraft-proved-'));
    vi.stubEnv('XDG_CACHE_HOME', folder);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  const known = (): string => join(folder, 'lossgraft', 'networks.json');

  it('once, and again where anything is another', async () => {
    await trained(join(folder, 'first'));
    expect(comparison.disagreement).toHaveBeenCalledTimes(1);
    expect(Object.keys(JSON.parse(readFileSync(known(), 'utf8')))).toHaveLength(1);
    await trained(join(folder, 'second'));
    expect(comparison.disagreement).toHaveBeenCalledTimes(1);
    await trained(join(folder, 'third'), { weightDecay: 0.5 });
    expect(comparison.disagreement).toHaveBeenCalledTimes(2);
  }, 120_000);

  it('which is not counted as training', async () => {
    writeFileSync(known(), '{}');
    const now = performance.now.bind(performance);
    let late = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now() + late);
    vi.mocked(comparison.disagreement).mockImplementationOnce(async () => {
      late = 1e6;
      return undefined;
    });
    const { history } = await trained(join(folder, 'slow'));
    vi.mocked(performance.now).mockRestore();
    expect(history[1]?.trainSeconds).toBeLessThan(1000);
    expect(history[1]?.seconds).toBeGreaterThan(1000);
  }, 120_000);

  it('and again where it did not agree', async () => {
    writeFileSync(known(), '{}');
    vi.mocked(comparison.disagreement).mockClear().mockResolvedValue('a loss of 2 in place of 1');
    for (const name of ['fourth', 'fifth']) {
      const { notes } = await trained(join(folder, name));
      expect(notes.join()).toMatch(/Training uses the plain forms: .* a loss of 2 in place of 1/);
    }
    expect(comparison.disagreement).toHaveBeenCalledTimes(2);
    expect(readFileSync(known(), 'utf8')).toBe('{}');
  }, 120_000);

  it('after the first steps, which are void where it did not agree: all is as if it had been plain from the start', async () => {
    writeFileSync(known(), '{}');
    const steps: number[] = [];
    const stepsBefore: number[] = [];
    vi.mocked(comparison.disagreement).mockImplementation(async () => {
      stepsBefore.push(steps.length);
      return 'another step';
    });
    const onProgress = ({ step }: { readonly step: number }): void => void steps.push(step);
    const told: number[] = [];
    const onEpoch = ({ epoch }: EpochRecord): void => void told.push(epoch);
    const refuted = await trained(join(folder, 'refuted'), { onProgress, onEpoch, epochs: 3, stepsPerRun: 1 });
    expect(stepsBefore).toEqual([1]);
    expect(told).toEqual([0, 1, 2, 3]);
    const plain = await trained(join(folder, 'plain'), { lower: 'off', epochs: 3, stepsPerRun: 1 });
    expect(refuted.history).toHaveLength(4);
    expect(refuted.history.map(untimed)).toEqual(plain.history.map(untimed));
  }, 120_000);

  it.each([4, 8, 16].filter((block) => block !== BLOCK))(
    'blocks of %i, which the runtime does not have: wrong numbers or an error, and the plain graph trains',
    async (wrong) => {
      writeFileSync(known(), '{}');
      vi.mocked(comparison.disagreement).mockReset();
      vi.mocked(machine.machineLowering).mockResolvedValueOnce({
        block: wrong,
        why: 'asked for',
      });
      const misled = await trained(join(folder, `misled-${wrong}`));
      expect(misled.notes.join()).toMatch(/Training uses the plain forms/);
      const plain = await trained(join(folder, `plain-${wrong}`), { lower: 'off' });
      expect(misled.history.map(untimed)).toEqual(plain.history.map(untimed));
    },
    120_000,
  );
});

function untimed({ seconds, trainSeconds, waitSeconds, ...rest }: EpochRecord): unknown {
  return rest;
}

async function trained(folder: string, options: Partial<TrainOptions> = {}): Promise<TrainResult> {
  const model = await open(join(NETWORKS, 'resnet/dynamo-opset20-eval', 'model.onnx'));
  const [port] = inputPorts(model, 'labels');
  const rows = 2 * BATCH;
  const dims = [rows, ...(port?.shape ?? []).slice(1).map(Number)];
  const x = Float32Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i));
  const labels = BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 3));
  try {
    const data = fromTensors({
      [port?.name ?? '']: { dtype: 'float32', dims, data: x },
      labels: { dtype: 'int64', dims: [rows], data: labels },
    });
    const common = { data, validation: data, loss: 'ce', batchSize: BATCH, epochs: 1, report: false } as const;
    return await train(model, { ...common, folder, ...options });
  } finally {
    model.close();
  }
}
