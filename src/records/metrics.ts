/** How good predictions are, class by class. */
export interface Metrics {
  readonly samples: number;
  readonly accuracy: number;
  /** The mean of the recalls of classes that have samples. */
  readonly balancedAccuracy: number;
  /** By class; `null` for a class without samples. */
  readonly recall: readonly (number | null)[];
  /** Mean recalls of classes with more than 100, 20 to 100, and fewer than 20 training samples; `null` where there are none. */
  readonly many: number | null;
  readonly medium: number | null;
  readonly few: number | null;
  /** Rows are true classes, columns predictions; `null` above {@link MAX_CONFUSION} classes. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** The most frequent mistakes, the most frequent first, where there is no matrix. */
  readonly mistakes: readonly Mistake[] | null;
}

export interface Mistake {
  readonly label: number;
  readonly predicted: number;
  readonly samples: number;
}

/** The bounds of many-, medium- and few-shot classes: Liu et al., "Large-Scale Long-Tailed Recognition in an Open World", CVPR 2019. */
export const SHOTS = { many: 100, few: 20 } as const;

/** A confusion matrix of more classes is nothing to look at, and large in every epoch's record. */
export const MAX_CONFUSION = 200;

const MISTAKES = 40;

/** Counts of pairs (label, prediction). */
export function confusionMatrix(
  labels: ArrayLike<bigint | number>,
  predictions: ArrayLike<number>,
  classes: number,
): number[][] {
  const counts = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) {
    const row = counts[Number(labels[i])];
    const predicted = predictions[i] ?? -1;
    if (row && predicted in row) row[predicted] = (row[predicted] ?? 0) + 1;
  }
  return counts;
}

/** @param trainCounts training samples of each class, which sort classes into many, medium and few. */
export function metricsOf(confusion: readonly (readonly number[])[], trainCounts: readonly number[]): Metrics {
  const totals = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  const hits = confusion.map((row, i) => row[i] ?? 0);
  const samples = totals.reduce((sum, n) => sum + n, 0);
  const recall = totals.map((total, i) => (total === 0 ? null : (hits[i] ?? 0) / total));
  const among = (test: (count: number) => boolean): number | null =>
    mean(recall.filter((_, i) => test(trainCounts[i] ?? 0)));
  return {
    samples,
    accuracy: hits.reduce((sum, n) => sum + n, 0) / samples,
    balancedAccuracy: mean(recall) ?? Number.NaN,
    recall,
    many: among((count) => count > SHOTS.many),
    medium: among((count) => count >= SHOTS.few && count <= SHOTS.many),
    few: among((count) => count < SHOTS.few),
    ...(confusion.length > MAX_CONFUSION
      ? { confusion: null, mistakes: mistakesOf(confusion, MISTAKES) }
      : { confusion, mistakes: null }),
  };
}

/** The `limit` largest counts off the diagonal of a confusion matrix; of equal ones the first. */
export function mistakesOf(confusion: readonly (readonly number[])[], limit: number): Mistake[] {
  const all = confusion.flatMap((row, label) =>
    row.flatMap((samples, predicted) => (samples > 0 && predicted !== label ? [{ label, predicted, samples }] : [])),
  );
  return all.sort((a, b) => b.samples - a.samples).slice(0, limit);
}

function mean(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}

/** The class with the highest score of each of the first `count` samples; of equal ones the first, as argmax does. */
export function argmaxRows(scores: ArrayLike<number>, count: number, classes: number): Int32Array {
  return Int32Array.from({ length: count }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if ((scores[row * classes + k] ?? 0) > (scores[row * classes + best] ?? 0)) best = k;
    }
    return best;
  });
}
