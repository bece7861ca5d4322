import { Scored } from '../../src/metrics/scored.ts';

/** Samples with these counts of pairs (label, prediction); the predicted class has a probability between 0.55 and 0.95. */
export function scoredOf(confusion: readonly (readonly number[])[]): Scored {
  const classes = confusion.length;
  const pairs = confusion.flatMap((row, label) =>
    row.flatMap((count, predicted) => Array.from({ length: count }, () => [label, predicted] as const)),
  );
  const probabilities = pairs.flatMap(([, predicted], i) => {
    const top = 0.55 + (0.4 * ((7 * i) % 11)) / 10;
    return Array.from({ length: classes }, (_, k) => (k === predicted ? top : (1 - top) / Math.max(1, classes - 1)));
  });
  return Scored.of({ labels: pairs.map(([label]) => label), probabilities, classes });
}
