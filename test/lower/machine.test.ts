import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { findBlock, machineLowering } from '../../src/lower/machine.ts';

const forms = { expansions, blocked };
const block = await findBlock();
const fresh = (): string => join(mkdtempSync(join(tmpdir(), 'lossgraft-lower-')), 'lowering.json');

describe('what this machine takes', () => {
  it.runIf(block === 16)('a wrong block size is caught by the proof', async () => {
    const found = await machineLowering(forms, { block: 8, cache: fresh() });
    expect(found.block).toBeNull();
    expect(found.why).toMatch(/^in blocks of 8 the numbers are other ones|^the runtime refuses blocks of 8/);
  });

  it.runIf(block === 16 || block === 8)('the right one is proved once, and kept', async () => {
    const cache = fresh();
    const found = await machineLowering(forms, { cache });
    expect(found).toEqual({ block, why: `blocks of ${block} channels, proved on 7 networks` });
    const kept = JSON.parse(readFileSync(cache, 'utf8'));
    expect(Object.values(kept)).toEqual([found]);
    const [key = ''] = Object.keys(kept);
    writeFileSync(cache, JSON.stringify({ [key]: { block: null, why: 'kept' } }));
    expect((await machineLowering(forms, { cache })).why).toBe('kept');
  });

  it('a broken note is found out again', async () => {
    const cache = fresh();
    writeFileSync(cache, '{');
    expect((await machineLowering(forms, { cache })).why).not.toBe('');
  });
});
