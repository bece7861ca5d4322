import { type Evidence, gatherEvidence } from '../classes/evidence.ts';
import type { Part } from '../data/samples.ts';
import { toNumbers } from '../numbers.ts';
import type { Runner } from '../thread/runner.ts';
import { spreadRows } from './influence.ts';
import { eachBatch, type Judging } from './judge.ts';

/** At least so many samples are looked at, and so many of each class, where there are as many. */
const SAMPLES = 1000;
const OF_EACH = 4;

/** What the runner's state thinks of training samples, rare classes as often as others. */
export async function orderEvidence(
  runner: Runner,
  part: Part,
  graph: string,
  { logits, trainCounts, batches }: Judging,
  seed: number,
): Promise<Evidence> {
  const classes = trainCounts.length;
  const evidence = gatherEvidence(classes);
  const rows = spreadRows(part, Math.max(SAMPLES, OF_EACH * classes), seed);
  await eachBatch(runner, { ...part, rows }, { graph, fetches: [logits], batches }, (results, batch) => {
    const scores = results[logits] ? toNumbers(results[logits]) : [];
    for (const [i, row] of batch.entries()) evidence.add(Number(part.samples.labels[row]), scores, i * classes);
  });
  return evidence;
}
