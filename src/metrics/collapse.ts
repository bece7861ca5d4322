import { METRICS } from './metrics.ts';

/** Of a model, on samples of several classes. */
export interface Known {
  readonly accuracy: number;
  readonly prAuc: number | null;
  /** By class; `null` for a class without samples. */
  readonly recall: readonly (number | null)[];
  /** There where samples may have several labels. */
  readonly thresholds?: readonly number[];
}

/**
 * Whether a model has lost what it knew: it takes all samples of several classes for one, or its accuracy or average precision is less than
 * half of what it was. @returns what happened, as a phrase.
 */
export function collapseOf(before: Known, after: Known, classNames: readonly string[] = []): string | undefined {
  const only = onlyClass(after);
  if (only !== undefined) {
    const isOld = onlyClass(before) !== undefined;
    return `it takes every sample for class ${classNames[only] ?? only}${isOld ? ', as it took all for one before' : ''}`;
  }
  // All labels of a sample right at once is much to ask: fewer of them are no collapse.
  for (const name of after.thresholds ? (['prAuc'] as const) : (['accuracy', 'prAuc'] as const)) {
    const [a, b] = [before[name], after[name]];
    if (a !== null && b !== null && b < a / 2)
      return `its ${METRICS[name].title} fell from ${percent(a)} to ${percent(b)} %`;
  }
  return undefined;
}

/** The class for which a model takes all samples, if there is one. */
export function onlyClass({ recall, thresholds }: Pick<Known, 'recall' | 'thresholds'>): number | undefined {
  if (thresholds !== undefined) return undefined;
  const present = recall.flatMap((share, k) => (share === null ? [] : [{ share, k }]));
  const found = present.filter(({ share }) => share > 0);
  return present.length > 1 && found.length === 1 && found[0]?.share === 1 ? found[0].k : undefined;
}

function percent(share: number): string {
  return (100 * share).toFixed(1);
}

/** What a model has lost; one that took all for one class from the start had nothing. */
export function newCollapse(given: Known, now: Known, classNames: readonly string[] | undefined): string | undefined {
  return onlyClass(given) === undefined ? collapseOf(given, now, classNames) : undefined;
}
