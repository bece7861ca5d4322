import type { Expansion } from '../../src/contract.ts';
import * as batchNorm from './batchNorm.ts';
import * as conv from './conv.ts';
import * as optimizer from './optimizer.ts';
import * as pool from './pool.ts';
import * as webgpu from './webgpu.ts';

/** Composites in plain ai.onnx operators, by name. */
export const expansions: Readonly<Record<string, Expansion>> = { ...conv, ...pool, ...batchNorm, ...optimizer };

/** The same for WebGPU, whose kernels need other forms of some. */
export const webgpuExpansions: Readonly<Record<string, Expansion>> = { ...expansions, ...webgpu };
