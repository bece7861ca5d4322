import { type Evidence, gatherEvidence } from '../classes/evidence.ts';
import type { Classifier, ScoredBatch } from '../classifier/classifier.ts';
import { LossgraftError } from '../errors.ts';
import { LabelCollector } from '../metrics/labelled.ts';
import { type AnyScored, Collector } from '../metrics/scored.ts';

/** Collects batches, in the class order of the first model. */
export interface Collecting {
  readonly classes: number;
  readonly evidence: Evidence | undefined;
  add(batch: ScoredBatch): void;
  done(): AnyScored;
}

/** A collector for the classifier's task. */
export function collectorFor(
  { task }: Classifier,
  size: number,
  classes: number,
  where: string,
  order: readonly number[] | undefined,
): Collecting {
  if (task === 'exclusive') {
    const { scores, evidence, add } = collector(size, classes, where, order);
    const addBatch = ({ logits, labels, start }: ScoredBatch): void => add(logits, labels, start);
    return { classes, evidence, add: addBatch, done: () => scores.done() };
  }
  const scores = new LabelCollector(size, classes);
  const own = <T extends ArrayLike<number>>(rows: T): T | Float64Array =>
    order === undefined ? rows : reordered(rows, order);
  const add = ({ logits, hot = new Float32Array(), count }: ScoredBatch): void => {
    const labels = Array.from(own(hot));
    const rows = Array.from({ length: count }, (_, i) => labels.slice(i * classes, (i + 1) * classes));
    scores.add(own(logits), rows);
  };
  return { classes, evidence: undefined, add, done: () => scores.done() };
}

function collector(size: number, classes: number, where: string, order: readonly number[] | undefined) {
  const scores = new Collector(size, classes);
  const evidence = order === undefined ? gatherEvidence(classes) : undefined;
  const add = (logits: ArrayLike<number>, given: BigInt64Array, start: number): void => {
    const labels = Int32Array.from(given, Number);
    const wrong = labels.findIndex((label) => label >= classes);
    if (wrong >= 0) throw unknownLabel(`${where}, labels, row ${start + wrong}`, classes, labels[wrong] ?? 0);
    for (const [i, label] of labels.entries()) evidence?.add(label, logits, i * classes);
    const ownLabels = order === undefined ? labels : labels.map((label) => order.indexOf(label));
    scores.add(order === undefined ? logits : reordered(logits, order), ownLabels);
  };
  return { scores, evidence, add };
}

function reordered(logits: ArrayLike<number>, order: readonly number[]): Float64Array {
  const n = order.length;
  return Float64Array.from(logits, (_, i) => logits[i - (i % n) + (order[i % n] ?? 0)] ?? Number.NaN);
}

function unknownLabel(where: string, classes: number, found: number): LossgraftError {
  return new LossgraftError({
    code: 'label-out-of-range',
    where,
    expected: `a class index among 0…${classes - 1}`,
    found: `${found}`,
    hint: 'Correct the label or remove the row: the model has no such class',
  });
}
