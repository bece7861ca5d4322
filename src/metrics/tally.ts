/** Samples counted by class. */
export interface Tally {
  readonly samples: number;
  /** By true class. */
  readonly totals: Float64Array;
  /** By predicted class. */
  readonly predicted: Float64Array;
  /** Correct predictions. */
  readonly hits: Float64Array;
}

/** Hits among the class's samples; `null` for a class without samples. */
export function recallOf({ totals, hits }: Tally, k: number): number | null {
  return ratio(hits[k], totals[k]);
}

/** Hits among the samples predicted as the class; `null` if there are none. */
export function precisionOf({ predicted, hits }: Tally, k: number): number | null {
  return ratio(hits[k], predicted[k]);
}

/** 2 · hits / (samples + predictions); `null` for a class that has neither. */
export function f1Of({ totals, predicted, hits }: Tally, k: number): number | null {
  return ratio(2 * (hits[k] ?? 0), (totals[k] ?? 0) + (predicted[k] ?? 0));
}

/** The mean of a label's recall and of the share of other samples not predicted as it; `null` unless there are both. */
export function balanceOf({ samples, totals, predicted, hits }: Tally, k: number): number | null {
  const [own = 0, chosen = 0, both = 0] = [totals[k], predicted[k], hits[k]];
  const others = samples - own;
  if (own === 0 || others === 0) return null;
  return (both / own + (others - chosen + both) / others) / 2;
}

function ratio(part = 0, whole = 0): number | null {
  return whole === 0 ? null : part / whole;
}

/** Matthews' correlation of labels and predictions for any number of classes (Gorodkin 2004); 0 where one of them is constant. */
export function mccOf({ samples, totals, predicted, hits }: Tally): number {
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);
  const right = hits.reduce((sum, n) => sum + n, 0);
  const spread = (samples ** 2 - dot(predicted, predicted)) * (samples ** 2 - dot(totals, totals));
  return spread === 0 ? 0 : (right * samples - dot(totals, predicted)) / Math.sqrt(spread);
}

/** The mean of the values that are not `null`; `null` if all are. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}

/** The geometric mean of the values that are not `null`: 0 if one is 0. */
export function geometricMeanOf(values: readonly (number | null)[]): number | null {
  const mean = meanOf(values.map((value) => (value === null ? null : Math.log(value))));
  return mean === null ? null : Math.exp(mean);
}

/** The class with the fewest samples among those that have any. */
export function rarestOf({ totals }: Tally): { readonly class: number; readonly samples: number } {
  const least = Math.min(...totals.filter((samples) => samples > 0));
  return { class: totals.indexOf(least), samples: least };
}

/** With fewer samples of the rarest class, the error of a metric that counts all classes alike exceeds most gains. */
export const LEAST_SAMPLES = 4;
