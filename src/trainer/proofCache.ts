import type { LowerTarget } from '../lower/layouts.ts';
import { addToCache, cacheFile, machineKey, readCache } from '../lower/machineCache.ts';
import type { TrainGraph } from '../trainGraph/trainGraph.ts';

/** The most networks remembered. */
const MOST = 200;

/** A digest of a lowered graph in its loop form, and of its runtime and processor. */
export function proofKey(graph: TrainGraph, { batch }: LowerTarget): string {
  return `${machineKey()}, batches of ${batch}, ${graph.sessionHash()}`;
}

/** Whether it has already taken the same step as its plain form. */
export function wasProved(key: string): boolean {
  return key in readCache<string>(cacheFile('networks.json'));
}

export function keepProof(key: string): void {
  addToCache(cacheFile('networks.json'), key, new Date().toISOString(), MOST);
}
