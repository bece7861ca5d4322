import { METRICS } from './metrics.ts';
import { LEAST_SAMPLES } from './tally.ts';

/** The results of a model on samples of several classes. */
export interface Known {
  readonly samples: number;
  readonly accuracy: number;
  readonly prAuc: number | null;
  /** By class; `null` for a class without samples. */
  readonly recall: readonly (number | null)[];
  /** Present if samples may have several labels. */
  readonly thresholds?: readonly number[];
}

/**
 * Whether a model has collapsed: it predicts one class for all samples of several, or its accuracy or average precision is less than half
 * the old one. @returns what happened, as a phrase.
 */
export function collapseOf(before: Known, after: Known, classNames: readonly string[] = []): string | undefined {
  const only = onlyClass(after);
  if (only !== undefined) {
    const isOld = onlyClass(before) !== undefined;
    return `it takes every sample for class ${classNames[only] ?? only}${isOld ? ', as it took all for one before' : ''}`;
  }
  // Getting all labels of a sample right is hard: fewer such samples are not a collapse.
  for (const name of after.thresholds ? (['prAuc'] as const) : (['accuracy', 'prAuc'] as const)) {
    const [a, b] = [before[name], after[name]];
    if (a !== null && b !== null && b < a / 2)
      return `its ${METRICS[name].title} fell from ${percent(a)} to ${percent(b)} %`;
  }
  return undefined;
}

/** The class that a model predicts for all samples, if there is one. A few missed samples of other classes do not show it. */
export function onlyClass({
  samples,
  accuracy,
  recall,
  thresholds,
}: Pick<Known, 'samples' | 'accuracy' | 'recall' | 'thresholds'>): number | undefined {
  const missed = Math.round(samples * (1 - accuracy));
  if (thresholds !== undefined || missed < LEAST_SAMPLES) return undefined;
  const present = recall.flatMap((share, k) => (share === null ? [] : [{ share, k }]));
  const found = present.filter(({ share }) => share > 0);
  return present.length > 1 && found.length === 1 && found[0]?.share === 1 ? found[0].k : undefined;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** How a model collapsed; one that predicted a single class from the start had nothing to lose. */
export function newCollapse(given: Known, now: Known, classNames: readonly string[] | undefined): string | undefined {
  return onlyClass(given) === undefined ? collapseOf(given, now, classNames) : undefined;
}
