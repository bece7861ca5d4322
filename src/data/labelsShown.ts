import { type Column, type Dataset, LABELS } from './dataset.ts';
import { isMatrix, looksAt } from './labelMatrix.ts';
import { areProbabilities } from './softLabels.ts';

/** What labels are: a class index each, probabilities of all classes, rows of 0 and 1, or rows of other numbers, which reading refuses. */
export type LabelsShown = 'indices' | 'probabilities' | 'one-hot' | 'multi-hot' | 'numbers';

/** @param name of the model's label input. */
export async function labelsShown(data: Dataset, name: string = LABELS): Promise<LabelsShown> {
  const column: Column | undefined = data.columns.get(name) ?? data.columns.get(LABELS);
  if (column === undefined || !isMatrix(column)) return 'indices';
  if (await areProbabilities(column)) return 'probabilities';
  return (await looksAt(column)) ?? 'numbers';
}
