import { Scored } from '../../src/metrics/scored.ts';

/** Of more classes there are no probabilities but those of the predicted and the true class. */
const MAX_CLASSES = 50;

/** Samples with these counts of pairs (label, prediction); the predicted class has a probability between 0.55 and 0.95. */
export function scoredOf(confusion: readonly (readonly number[])[]): Scored {
  const classes = confusion.length;
  const pairs = confusion.flatMap((row, label) =>
    row.flatMap((count, predicted) => Array.from({ length: count }, () => ({ label, predicted }))),
  );
  const labels = Int32Array.from(pairs, ({ label }) => label);
  const predicted = Int32Array.from(pairs, (pair) => pair.predicted);
  const top = (i: number): number => 0.55 + (0.4 * ((7 * i) % 11)) / 10;
  const probability = (i: number, k: number): number =>
    k === predicted[i] ? top(i) : (1 - top(i)) / Math.max(1, classes - 1);
  return new Scored({
    labels,
    classes,
    predicted,
    confidence: Float64Array.from(predicted, (_, i) => top(i)),
    truth: Float64Array.from(labels, (label, i) => probability(i, label)),
    probabilities:
      classes > MAX_CLASSES
        ? null
        : pairs.flatMap((_, i) => Array.from({ length: classes }, (__, k) => probability(i, k))),
  });
}
