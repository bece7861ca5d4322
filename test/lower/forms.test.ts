import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { PROOF_CASES, PROOF_TOLERANCE, type ProofCase, proveCase } from '../../src/lower/proof.ts';
import { BLOCK, needsBlocks } from '../support/blocks.ts';

const forms = { expansions, blocked };

/** Channels, images, strides, dilations and groups that are no multiples of anything. */
const ODD: readonly ProofCase[] = [1, 7, 128].flatMap((batch) =>
  [3, 5, 24, 40].flatMap((channels): ProofCase[] => [
    { batch, channels, filters: 32, size: [5, 6], kernel: 3, pad: 1 },
    { batch, channels, filters: 20, size: [7, 6], kernel: 3, stride: 2, pad: 1 },
    { batch, channels, filters: 24, size: [4, 4], kernel: 1 },
    { batch, channels, filters: 16, size: [7, 8], kernel: 3, dilation: 2 },
    { batch, channels, filters: channels, size: [6, 5], kernel: 3, pad: 1, group: channels },
  ]),
);
const GROUPS: readonly ProofCase[] = [
  { batch: 2, channels: 64, filters: 64, size: [5, 5], kernel: 3, pad: 1, group: 2 },
  { batch: 16, channels: 12, filters: 12, size: [5, 5], kernel: 3, pad: 1, group: 3 },
  { batch: 8, channels: 64, filters: 64, size: [14, 14], kernel: 3, pad: 1 },
  { batch: 4, channels: 16, filters: 16, size: [8, 8], kernel: 5, stride: 2, pad: 2, group: 16 },
  { batch: 2, channels: 32, filters: 64, size: [8, 8], kernel: 1, stride: 2 },
];

describe('blocked forms', needsBlocks, () => {
  it.each([...PROOF_CASES, ...ODD, ...GROUPS])('agree with the plain ones: %j', async (proof) => {
    const { worst, output } = await proveCase(forms, BLOCK, proof);
    expect(worst, output).toBeLessThan(PROOF_TOLERANCE);
  });
});
