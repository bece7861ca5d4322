import { type Evidence, gatherEvidence, orderedLabels } from '../classes/evidence.ts';
import type { Part } from '../data/samples.ts';
import { toNumbers } from '../numbers.ts';
import type { Runner } from '../thread/runner.ts';
import { spreadRows } from './influence.ts';
import { eachBatch, type Judging, type Look } from './judge.ts';
import type { TrainerRequest } from './request.ts';

/** The fewest samples to examine, in total and of each class, if there are enough. */
const SAMPLES = 1000;
const OF_EACH = 4;

/** The given model's scores of samples, with rare classes as often as others. */
export interface OrderWatch {
  /** Uses scores of validation samples that are computed anyway. */
  readonly look: Look;
  /** Runs the model over the remaining training samples to examine. */
  finish(runner: Runner, graph: string, judging: Pick<Judging, 'logits' | 'batches'>): Promise<Evidence>;
}

type Watched = Pick<TrainerRequest, 'train' | 'validation' | 'hasOneSource' | 'trainCounts' | 'seed'>;

/** Validation samples count in place of training samples if they come from the same data. */
export function watchOrder({ train, validation, hasOneSource, trainCounts, seed }: Watched): OrderWatch {
  const classes = trainCounts.length;
  const evidence = gatherEvidence(classes);
  const wanted = rowsToLookAt(train, trainCounts, seed);
  const left = new Map<number, number>();
  for (const row of wanted) left.set(labelOf(train, row), (left.get(labelOf(train, row)) ?? 0) + 1);
  const take = (label: number): boolean => {
    const count = left.get(label) ?? 0;
    left.set(label, count - 1);
    return count > 0;
  };
  const look: Look = (scores, rows) => {
    if (!hasOneSource) return;
    for (const [i, row] of rows.entries()) {
      const label = labelOf(validation, row);
      if (take(label)) evidence.add(label, scores, i * classes);
    }
  };
  const finish: OrderWatch['finish'] = async (runner, graph, { logits, batches }) => {
    const rows = wanted.filter((row) => take(labelOf(train, row)));
    await eachBatch(runner, { ...train, rows }, { graph, fetches: [logits], batches }, (results, batch) => {
      const scores = results[logits] ? toNumbers(results[logits]) : [];
      for (const [i, row] of batch.entries()) evidence.add(labelOf(train, row), scores, i * classes);
    });
    return evidence;
  };
  return { look, finish };
}

function labelOf({ samples }: Part, row: number): number {
  return Number(samples.labels[row]);
}

/** With many classes, only those with the most samples. */
function rowsToLookAt(part: Part, counts: readonly number[], seed: number): Uint32Array {
  const most = orderedLabels(counts.length);
  const byCount = [...counts.keys()].sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0));
  const labels = new Set(byCount.slice(0, most));
  const rows = most === counts.length ? part.rows : part.rows.filter((row) => labels.has(labelOf(part, row)));
  return spreadRows({ ...part, rows }, Math.max(SAMPLES, OF_EACH * most), seed);
}
