import type { Expansion } from '../../src/contract.ts';
import * as batchNorm from './batchNorm.ts';
import * as conv from './conv.ts';
import * as pool from './pool.ts';

/** Composites in plain ai.onnx operators, by name. */
export const expansions: Readonly<Record<string, Expansion>> = { ...conv, ...pool, ...batchNorm };
