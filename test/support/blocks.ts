import type { TestOptions } from 'vitest';
import { findBlock } from '../../src/lower/machine.ts';
import { needs } from './needs.ts';

/** Channels in a block on processors with AVX and with AVX-512. What builds a graph is tested with both, what runs one with `BLOCK`. */
export const BLOCKS = [8, 16] as const;

const found = await findBlock();

/** Of this machine. Where there is none, tests that read it are skipped. */
export const BLOCK: number = found ?? 0;

/** For tests that run blocked forms. */
export const needsBlocks: TestOptions = needs(
  found !== undefined,
  'a processor for which ONNX Runtime has blocked operators',
);
