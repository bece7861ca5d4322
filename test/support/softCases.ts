import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Box } from '../../src/data/mixing.ts';
import { ROOT } from './cli.ts';

export const SOFT: string = join(ROOT, 'fixtures/soft');

export interface SoftLoss {
  readonly loss: string;
  readonly options: Readonly<Record<string, number>>;
  readonly weights: readonly number[] | null;
  readonly positiveWeights: readonly number[] | null;
  readonly counts: readonly number[];
  readonly logits: readonly number[][];
  readonly labels: readonly number[][];
  readonly norm: readonly number[] | null;
  readonly perSample: readonly number[];
  readonly grad: readonly number[][];
}

/** A batch as torchvision mixed it. */
export interface MixedBatch {
  readonly kind: 'mixup' | 'cutmix';
  readonly share: number;
  /** Of CutMix. */
  readonly kept?: number;
  readonly center?: { readonly x: number; readonly y: number };
  readonly box?: Box;
  readonly dims: readonly number[];
  readonly images: readonly number[];
  readonly classes: readonly number[];
  readonly mixed: readonly number[];
  readonly labels: readonly number[][];
}

export interface BetaQuantiles {
  readonly alpha: number;
  readonly shares: readonly number[];
  readonly at: readonly number[];
}

/** What PyTorch, torchvision and SciPy say: see fixtures/soft/generate.py. */
export function softCases(): {
  readonly losses: readonly SoftLoss[];
  readonly mixes: readonly MixedBatch[];
  readonly beta: readonly BetaQuantiles[];
} {
  return JSON.parse(readFileSync(join(SOFT, 'soft.json'), 'utf8'));
}
