import { createHash } from 'node:crypto';
import type { LowerTarget } from '../lower/layouts.ts';
import { keep, keptFile, machineKey, readKept } from '../lower/machineCache.ts';
import type { TrainGraph } from '../trainGraph/trainGraph.ts';

/** How many networks are known. */
const MOST = 200;

/** A lowered graph in its loop form, down to its last node, and who computes it. */
export function proofKey(graph: TrainGraph, { batch }: LowerTarget): string {
  const hash = createHash('sha256').update(graph.sessionBytes()).digest('hex');
  return `${machineKey()}, batches of ${batch}, ${hash}`;
}

/** Whether it took a step as its plain form does, before. */
export function wasProved(key: string): boolean {
  return key in readKept<string>(keptFile('networks.json'));
}

export function keepProof(key: string): void {
  keep(keptFile('networks.json'), key, new Date().toISOString(), MOST);
}
