import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { machineLowering } from '../../src/lower/machine.ts';
import { PROOF_CASES } from '../../src/lower/proof.ts';
import { BLOCK, BLOCKS, needsBlocks } from '../support/blocks.ts';

const forms = { expansions, blocked };
const fresh = (): string => join(mkdtempSync(join(tmpdir(), 'lossgraft-lower-')), 'lowering.json');

describe('what this machine takes', () => {
  const wrong = [4, ...BLOCKS].filter((block) => block !== BLOCK);
  it.each(wrong)('blocks of %i, which are not its own, are caught by the proof', needsBlocks, async (block) => {
    const found = await machineLowering(forms, { block, cache: fresh() });
    expect(found.block).toBeNull();
    expect(found.why).toMatch(
      new RegExp(`^in blocks of ${block} the numbers differ|^the runtime refuses blocks of ${block}`),
    );
  });

  it('the right one is proved once, and kept', needsBlocks, async () => {
    const cache = fresh();
    const found = await machineLowering(forms, { cache });
    expect(found).toEqual({
      block: BLOCK,
      why: `blocks of ${BLOCK} channels, verified on ${PROOF_CASES.length} networks`,
    });
    const kept = JSON.parse(readFileSync(cache, 'utf8'));
    expect(Object.values(kept)).toEqual([found]);
    const [key = ''] = Object.keys(kept);
    writeFileSync(cache, JSON.stringify({ [key]: { block: null, why: 'kept' } }));
    expect((await machineLowering(forms, { cache })).why).toBe('kept');
  });

  it('and another set of rules again', needsBlocks, async () => {
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
