import { type BatchSizes, buffersOf, fillUp, type Part } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import { Collector, type Scored } from '../metrics/scored.ts';
import { toNumbers } from '../numbers.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Runner } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';

/** Said of a model that may know the validation data. */
export const SEEN: string =
  'The given model is right on every validation sample: it may have been trained on them, and then they cannot show which epoch ' +
  `is best. Give data that it has not seen (${option('validation')}), or take the last epoch (${option('select', 'last')})`;

export interface Judgement {
  readonly scored: Scored;
  /** The mean cross-entropy. */
  readonly loss: number;
}

/** Results of all layers of a batch are in memory: where samples are large, no more of them than a step has. */
const BATCH = 256;
const BATCH_BYTES: number = 2 ** 20;

/** Runs a graph that the runner has open over a part, batch by batch, and reads the next one meanwhile; a fixed batch is filled up. */
export async function eachBatch(
  runner: Runner,
  { samples, rows }: Part,
  run: {
    readonly graph: string;
    readonly fetches: readonly string[];
    readonly batches: BatchSizes;
    readonly signal?: AbortSignal | undefined;
  },
  use: (results: Tensors, rows: Uint32Array) => void,
): Promise<void> {
  const { graph, fetches, batches, signal } = run;
  const { fixed, trained } = batches;
  const size = fixed ?? Math.min(BATCH, Math.max(trained, Math.floor(BATCH_BYTES / samples.rowBytes)));
  const read = async (start: number) => {
    const batch = rows.subarray(start, start + size);
    return { batch, feeds: fillUp(await samples.read(batch), fixed) };
  };
  let coming = read(0);
  for (let start = 0; start < rows.length; start += size) {
    signal?.throwIfAborted();
    const { batch, feeds } = await coming;
    const running = runner.ask({ kind: 'evaluate', graph, feeds, fetches }, samples.isFresh ? buffersOf(feeds) : []);
    if (start + size < rows.length) coming = read(start + size);
    // Told when it is awaited.
    coming.catch(() => {});
    use(await running, batch);
  }
}

/** How a run's graph judges. */
export interface Judging extends Evaluation {
  readonly batches: BatchSizes;
  /** Training samples of each class. */
  readonly trainCounts: readonly number[];
  /** Ends the judging with its reason. */
  readonly signal: AbortSignal | undefined;
}

/** Sees the scores of each batch, row by row. */
export type Look = (scores: ArrayLike<number>, rows: Uint32Array) => void;

/** What the runner's state says of a part. */
export async function judge(
  runner: Runner,
  part: Part,
  graph: string,
  judging: Judging,
  look?: Look,
): Promise<Judgement> {
  const { logits, trainCounts, batches, signal } = judging;
  const perSample = judging.names.loss_per_sample ?? 'loss_per_sample';
  const classes = trainCounts.length;
  const collector = new Collector(part.rows.length, classes);
  let loss = 0;
  await eachBatch(runner, part, { graph, fetches: [logits, perSample], batches, signal }, (results, rows) => {
    const scores = results[logits];
    const losses = results[perSample]?.data ?? [];
    const numbers = scores ? toNumbers(scores) : [];
    if (numbers.length < rows.length * classes) throw wrongLogits(logits, rows.length, classes, numbers.length);
    const labels = Int32Array.from(rows, (row) => Number(part.samples.labels[row]));
    collector.add(numbers, labels);
    look?.(numbers, rows);
    for (const i of rows.keys()) loss += Number(losses[i]);
  });
  return { scored: collector.done(), loss: loss / part.rows.length };
}

function wrongLogits(name: string, rows: number, classes: number, found: number): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where: `output ${name}`,
    expected: `${rows} × ${classes} scores`,
    found: `${found}`,
    hint: `Name the scores before the softmax with ${option('logits')}, and see that every class has training samples`,
  });
}
