import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { findBlock, machineLowering } from '../../src/lower/machine.ts';
import { PROOF_CASES } from '../../src/lower/proof.ts';

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
    expect(found).toEqual({ block, why: `blocks of ${block} channels, proved on ${PROOF_CASES.length} networks` });
    const kept = JSON.parse(readFileSync(cache, 'utf8'));
    expect(Object.values(kept)).toEqual([found]);
    const [key = ''] = Object.keys(kept);
    writeFileSync(cache, JSON.stringify({ [key]: { block: null, why: 'kept' } }));
    expect((await machineLowering(forms, { cache })).why).toBe('kept');
  });

  it.runIf(block === 16 || block === 8)('and another set of rules again', async () => {
    const cache = fresh();
    const first = await machineLowering(forms, { cache });
    const noRelu: typeof blocked = {
      ...blocked,
      Relu: ({ input, isBlocked, blocked: form }) => (isBlocked(input(0)) ? [{ blocked: form(input(0)) }] : undefined),
    };
    const second = await machineLowering({ expansions, blocked: noRelu }, { cache });
    expect(second.block).toBeNull();
    expect(Object.values(JSON.parse(readFileSync(cache, 'utf8')))).toEqual([first, second]);
    expect(await machineLowering(forms, { cache })).toEqual(first);
  });

  it('a broken note is found out again', async () => {
    const cache = fresh();
    writeFileSync(cache, '{');
    expect((await machineLowering(forms, { cache })).why).not.toBe('');
  });
});
