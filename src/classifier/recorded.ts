import { DEFAULT_THRESHOLD } from '../metrics/labelled.ts';

/** The note on a file's thresholds other than 0.5. */
export function recordedNotes(thresholds: readonly number[] | undefined): string[] {
  if (thresholds === undefined || thresholds.every((each) => each === DEFAULT_THRESHOLD)) return [];
  const shown = thresholds.slice(0, 12).map((each) => Number(each.toPrecision(3)));
  const list = `${shown.join(', ')}${thresholds.length > 12 ? ', …' : ''}`;
  return [`The file records from which probability on each label is predicted: ${list}`];
}
