import { type BatchSizes, buffersOf, fillUp, type Part } from '../data/samples.ts';
import { LossgraftError, option } from '../errors.ts';
import { LabelCollector } from '../metrics/labelled.ts';
import { type AnyScored, Collector } from '../metrics/scored.ts';
import { applyThresholds, type ThresholdPolicy } from '../metrics/thresholds.ts';
import { toNumbers } from '../numbers.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Runner } from '../thread/runner.ts';
import type { Evaluation } from '../trainGraph/evaluation.ts';

/** The note on a model that may know the validation data. */
export const SEEN: string =
  'The given model is right on every validation sample: it may have been trained on them, and then they cannot show which epoch ' +
  `is best. Give data that it has not seen (${option('validation')}), or take the last epoch (${option('select', 'last')})`;

export interface Judgement {
  readonly scored: AnyScored;
  /** The mean cross-entropy. */
  readonly loss: number;
}

/** The results of all layers of a batch are in memory: large samples are limited to a step's batch. */
const BATCH = 256;
const BATCH_BYTES: number = 2 ** 20;

/** Runs an open graph over a part, batch by batch, and reads the next one meanwhile; a fixed batch is padded. */
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
  const read = (start: number) => {
    const batch = rows.subarray(start, start + size);
    const reading = samples.read(batch).then((feeds) => ({ batch, feeds: fillUp(feeds, fixed) }));
    // Reported when awaited, and left aside if it never is.
    reading.catch(() => {});
    return reading;
  };
  let coming = read(0);
  for (let start = 0; start < rows.length; start += size) {
    signal?.throwIfAborted();
    const { batch, feeds } = await coming;
    const running = runner.ask({ kind: 'evaluate', graph, feeds, fetches }, samples.isFresh ? buffersOf(feeds) : []);
    if (start + size < rows.length) coming = read(start + size);
    use(await running, batch);
  }
}

/** How a run's graph judges. */
export interface Judging extends Evaluation {
  readonly batches: BatchSizes;
  /** Training samples of each class. */
  readonly trainCounts: readonly number[];
  /** If samples may have several labels: how they become predictions. */
  readonly thresholds: ThresholdPolicy | undefined;
  /** Ends the judging with its reason. */
  readonly signal: AbortSignal | undefined;
}

/** Sees the scores of each batch, row by row. */
export type Look = (scores: ArrayLike<number>, rows: Uint32Array) => void;

/** The runner state's results on a part. */
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
  const collector = collectorFor(part, judging);
  let loss = 0;
  await eachBatch(runner, part, { graph, fetches: [logits, perSample], batches, signal }, (results, rows) => {
    const scores = results[logits];
    const losses = results[perSample]?.data ?? [];
    const numbers = scores ? toNumbers(scores) : [];
    if (numbers.length < rows.length * classes) throw wrongLogits(logits, rows.length, classes, numbers.length);
    collector.add(numbers, rows);
    look?.(numbers, rows);
    for (const i of rows.keys()) loss += Number(losses[i]);
  });
  return { scored: collector.done(), loss: loss / part.rows.length };
}

/** The collector for the task. */
function collectorFor(
  { samples, rows: { length } }: Part,
  { trainCounts, thresholds = [] }: Judging,
): { add(scores: ArrayLike<number>, rows: Uint32Array): void; done(): AnyScored } {
  const classes = trainCounts.length;
  const { hot, labels } = samples;
  if (hot) {
    const collector = new LabelCollector(length, classes);
    const add = (scores: ArrayLike<number>, rows: Uint32Array): void => {
      const own = Array.from(rows, (row) => hot.subarray(row * classes, (row + 1) * classes));
      collector.add(scores, own);
    };
    return { add, done: () => applyThresholds(collector.done(), thresholds) };
  }
  const collector = new Collector(length, classes);
  const add = (scores: ArrayLike<number>, rows: Uint32Array): void =>
    collector.add(
      scores,
      Int32Array.from(rows, (row) => Number(labels[row])),
    );
  return { add, done: () => collector.done() };
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
