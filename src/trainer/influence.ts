import { random, shuffle } from '../data/random.ts';
import type { BatchSizes, Part } from '../data/samples.ts';
import { rowsByClass } from '../data/split.ts';
import { LossgraftError } from '../errors.ts';
import { argmaxRows } from '../metrics/scored.ts';
import { toNumbers } from '../numbers.ts';
import type { ClassInfluence, InfluenceOutcome, SampleInfluence } from '../records/influence.ts';
import type { Runner } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';
import type { GraftRequest } from '../transform/graft.ts';
import type { GraphPool } from './graphPool.ts';
import { eachBatch } from './judge.ts';

/** The most samples examined: a forward pass over them takes a fraction of the training time. */
const MAX_SAMPLES = 5000;
const TOP = 24;

/** What a measurement needs besides the runner, which holds the state. */
export interface InfluencePlan {
  readonly part: Part;
  readonly classes: number;
  readonly batches: BatchSizes;
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
  /** The influence-balanced loss, without class weights. */
  readonly request: GraftRequest & { readonly keepTies?: boolean };
}

/** Measures the runner's state on training samples, by the graph of the influence-balanced loss. */
export async function measureInfluence(
  graphs: GraphPool,
  runner: Runner,
  plan: InfluencePlan,
): Promise<InfluenceOutcome> {
  const graph = 'influence';
  try {
    const evaluation = await graphs.judge(graph, plan.request);
    const rows = spreadRows(plan.part, MAX_SAMPLES, plan.seed);
    const found = await measure(runner, { samples: plan.part.samples, rows }, graph, evaluation, plan);
    await graphs.close(graph);
    const { alpha, epsilon } = optionsOf(evaluation);
    const top = found.toSorted((a, b) => b.influence - a.influence).slice(0, TOP);
    const classes = meansByClass(found, plan.classes);
    return { alpha, epsilon, samples: rows.length, of: plan.part.rows.length, classes, top };
  } catch (error) {
    // Mostly a head without features: the run itself is done and keeps its result.
    if (error instanceof LossgraftError) return { missing: error.message };
    throw error;
  }
}

async function measure(
  runner: Runner,
  part: Part,
  graph: string,
  evaluation: Evaluation,
  { classes, batches, signal }: InfluencePlan,
): Promise<SampleInfluence[]> {
  const { logits, names } = evaluation;
  const { alpha, epsilon } = optionsOf(evaluation);
  const [factorName, lossName] = [names.ib_factor ?? 'ib_factor', names.loss_per_sample ?? 'loss_per_sample'];
  const found: SampleInfluence[] = [];
  await eachBatch(
    runner,
    part,
    { graph, fetches: [logits, factorName, lossName], batches, signal },
    (results, rows) => {
      const predicted = argmaxRows(results[logits] ? toNumbers(results[logits]) : [], rows.length, classes);
      for (const [i, row] of rows.entries()) {
        const factor = Number(results[factorName]?.data[i]);
        found.push({
          row,
          where: part.samples.describeRow(row),
          label: Number(part.samples.labels[row]),
          predicted: predicted[i] ?? 0,
          factor,
          influence: Math.max(0, alpha / factor - epsilon),
          loss: Number(results[lossName]?.data[i]) / factor,
        });
      }
    },
  );
  return found;
}

function optionsOf({ options }: Evaluation): { readonly alpha: number; readonly epsilon: number } {
  return { alpha: Number(options.alpha), epsilon: Number(options.epsilon) };
}

function meansByClass(found: readonly SampleInfluence[], classes: number): (ClassInfluence | null)[] {
  const sums = Array.from({ length: classes }, () => ({ samples: 0, influence: 0, factor: 0, loss: 0 }));
  for (const { label, influence, factor, loss } of found) {
    const sum = sums[label];
    if (sum === undefined) continue;
    sum.samples += 1;
    sum.influence += influence;
    sum.factor += factor;
    sum.loss += loss;
  }
  return sums.map(({ samples: n, influence, factor, loss }) =>
    n === 0 ? null : { samples: n, influence: influence / n, factor: factor / n, loss: loss / n },
  );
}

/** Keeps this draw apart from others of the same seed. */
const DRAW = 7;

/**
 * About `limit` rows of a part, ascending: all of the rare classes, and equally many of the others, drawn by the seed; at least one of
 * each class.
 */
export function spreadRows({ samples, rows }: Part, limit: number, seed: number): Uint32Array {
  if (rows.length <= limit) return rows;
  const classes = [...rowsByClass(Array.from(rows, (row) => samples.labels[row] ?? 0n))];
  const quota = quotaOf(
    classes.map(([, places]) => places.length),
    limit,
  );
  const chosen = classes.flatMap(([label, places]) => [
    ...shuffle(Uint32Array.from(places), random(seed, DRAW, label)).subarray(0, quota),
  ]);
  return Uint32Array.from(chosen, (place) => rows[place] ?? 0).sort();
}

/** The largest q for which Σ min(count, q) stays within the limit. */
function quotaOf(counts: readonly number[], limit: number): number {
  let left = limit;
  const sorted = counts.toSorted((a, b) => a - b);
  for (const [i, count] of sorted.entries()) {
    const share = Math.floor(left / (sorted.length - i));
    if (count > share) return Math.max(1, share);
    left -= count;
  }
  return limit;
}
