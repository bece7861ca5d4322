import { createEmitter, type Value } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import { graphEdit } from '../ir/edit.ts';
import { Graph } from '../ir/graph.ts';
import { blankModel, editedBytes } from '../onnx/index.ts';
import { openSession } from '../runtime/session.ts';
import { BLOCKED_DOMAIN } from './layouts.ts';
import type { Forms } from './lower.ts';
import { addToCache, cacheFile, machineKey, readCache } from './machineCache.ts';
import { digestOf, PROOF_CASES, PROOF_TOLERANCE, proveCase } from './proof.ts';

/** Whether training uses forms for this machine's runtime: if they are proved right (`auto`), or never. */
export type LowerMode = 'auto' | 'off';

/** Whether lossgraft's own sessions on this machine's CPU use blocked forms. */
export interface Lowering {
  /** Channels per block; `null` if they do not. */
  readonly block: number | null;
  /** The finding, in words. */
  readonly why: string;
}

export interface LoweringOptions {
  /** Where findings are cached. Default: under XDG_CACHE_HOME, or ~/.cache. */
  readonly cache?: string;
  /** Overrides the runtime's block size: tests force a wrong one. */
  readonly block?: number;
}

/**
 * The block size of this machine's runtime, if the blocked forms agree numerically with the plain ones. Determined and proved once for
 * each runtime, processor, version of lossgraft and set of rules.
 */
export async function machineLowering(
  forms: Omit<Forms, 'constant'>,
  options: LoweringOptions = {},
): Promise<Lowering> {
  const file = options.cache ?? cacheFile('lowering.json');
  const key = `${machineKey()}, rules ${digestOf(forms)}`;
  if (options.block === undefined) {
    const known = readCache<Lowering>(file)[key];
    if (known) return known;
  }
  const found = await prove(forms, options.block);
  if (options.block === undefined) addToCache(file, key, found, KEPT);
  return found;
}

/** How many findings are cached: versions and sets of rules may alternate. */
const KEPT = 8;

/** ONNX Runtime's error, without its wrapper. */
const REFUSALS = new Set(['model-not-loaded', 'run-failed']);

async function prove(forms: Omit<Forms, 'constant'>, forced: number | undefined): Promise<Lowering> {
  const block = forced ?? (await findBlock());
  if (block === undefined) return { block: null, why: 'this runtime lacks the blocked operators' };
  try {
    for (const proof of PROOF_CASES) {
      const { worst, output } = await proveCase(forms, block, proof);
      if (worst <= PROOF_TOLERANCE) continue;
      const where = `${output} of ${JSON.stringify(proof)}`;
      return {
        block: null,
        why: `in blocks of ${block} the numbers differ: ${where} by ${worst.toPrecision(2)}`,
      };
    }
  } catch (error) {
    if (!(error instanceof LossgraftError) || !REFUSALS.has(error.problem.code)) throw error;
    return { block: null, why: `the runtime refuses blocks of ${block}: ${error.problem.found}` };
  }
  return { block, why: `blocks of ${block} channels, verified on ${PROOF_CASES.length} networks` };
}

/** The runtime's block size: what it pads four channels to. `undefined` if it has no such operators. */
export async function findBlock(): Promise<number | undefined> {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const x: Value = graph.define('x', 'float32', [1, 4, 1, 1]);
  graph.inputs.push(x);
  graph.outputs.push(op.call('ReorderInput', [x], { domain: BLOCKED_DOMAIN, shape: [1, undefined, 1, 1] }));
  graph.opsetImports.set(BLOCKED_DOMAIN, 1);
  const model = blankModel(17, 'block');
  try {
    const session = await openSession(editedBytes(model, graphEdit(model, graph)), { name: 'query of the block size' });
    const outcome = await session.run({ x: { dtype: 'float32', dims: [1, 4, 1, 1], data: new Float32Array(4) } });
    await session.close();
    return Object.values(outcome)[0]?.dims[1];
  } catch (error) {
    if (error instanceof LossgraftError && error.problem.code === 'model-not-loaded') return undefined;
    throw error;
  }
}
