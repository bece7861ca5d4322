import { type Column, type Dataset, LABELS } from './dataset.ts';
import { isMatrix, looksAt } from './labelMatrix.ts';
import { areProbabilities } from './softLabels.ts';

/** What labels are: a class index each, rows of 0 and 1, or probabilities of all classes. */
export type LabelsShown = 'indices' | 'probabilities' | 'one-hot' | 'multi-hot';

/** @param name of the model's label input. */
export async function labelsShown(data: Dataset, name: string = LABELS): Promise<LabelsShown> {
  const column: Column | undefined = data.columns.get(name) ?? data.columns.get(LABELS);
  if (column === undefined || !isMatrix(column)) return 'indices';
  if (await areProbabilities(column)) return 'probabilities';
  // Other numbers are refused when they are read.
  return (await looksAt(column)) ?? 'indices';
}
