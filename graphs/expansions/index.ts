import type { Expansion } from '../../src/contract.ts';

/** Composites in plain ai.onnx operators, by name. */
export const expansions: Readonly<Record<string, Expansion>> = {};
