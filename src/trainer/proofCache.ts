import type { LowerTarget } from '../lower/layouts.ts';
import { addToCache, cacheFile, machineKey, readCache } from '../lower/machineCache.ts';
import type { TrainGraph } from '../trainGraph/trainGraph.ts';

/** How many networks are known. */
const MOST = 200;

/** A lowered graph in its loop form, down to its last node, and who computes it. */
export function proofKey(graph: TrainGraph, { batch }: LowerTarget): string {
  return `${machineKey()}, batches of ${batch}, ${graph.sessionHash()}`;
}

/** Whether it took a step as its plain form does, before. */
export function wasProved(key: string): boolean {
  return key in readCache<string>(cacheFile('networks.json'));
}

export function keepProof(key: string): void {
  addToCache(cacheFile('networks.json'), key, new Date().toISOString(), MOST);
}
