import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { doctor, open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { BLOCK, needsBlocks } from '../support/blocks.ts';

const DIGITS = join(import.meta.dirname, '../../fixtures/digits');
const folder = mkdtempSync(join(tmpdir(), 'lossgraft-lower-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(name: string, options: Partial<TrainOptions>): Promise<TrainResult> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  const own = { data, folder: join(folder, name), loss: 'ib', epochs: 2, batchSize: 24, report: false } as const;
  return train(model, { ...own, ...options });
}

function blocks(name: string): unknown[] {
  const lines = readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines.slice(1).map((line) => JSON.parse(line).block);
}

describe('train with the forms of this machine', needsBlocks, () => {
  it('says so, and learns what it learns without', async () => {
    const [own, plain] = [await run('auto', {}), await run('off', { lower: 'off' })];
    expect(blocks('auto')).toEqual([BLOCK, BLOCK]);
    expect(blocks('off')).toEqual([null, null]);
    for (const [i, { trainLoss }] of plain.history.entries()) {
      if (trainLoss === null) continue;
      expect(Math.abs((own.history[i]?.trainLoss ?? Number.NaN) / trainLoss - 1)).toBeLessThan(1e-4);
    }
  }, 60_000);

  it('a head alone has no convolutions in its graph', async () => {
    await run('head', { trainable: 'head' });
    expect(blocks('head')).toEqual([null, null]);
  }, 60_000);

  it('is refused with another word', async () => {
    await expect(run('word', { lower: 'on' as 'off' })).rejects.toThrow(/one of auto, off, found "?on/);
  });

  it('doctor tells', async () => {
    const [cpu] = await doctor();
    expect(cpu?.works).toBe(true);
    expect(cpu?.findings.at(-1)).toMatchObject({ check: 'blocked forms', ok: true });
  });
});
