import { type Dataset, LABELS } from '../dataset.ts';
import { readMatrix } from '../labelMatrix.ts';
import { readNumbers } from '../labels.ts';
import { labelsShown } from '../labelsShown.ts';
import { MAX_CLASSES } from '../limits.ts';
import { hardened } from '../softLabels.ts';

const AT_ONCE = 65_536;

/**
 * Samples of each class, by index: a sample with several labels counts for each, one with probabilities for the most probable. `null` without
 * labels, and for numbers that are no indices.
 *
 * @throws LossgraftError for labels that are no whole numbers, with the row.
 */
export async function classCountsOf(given: Dataset): Promise<readonly number[] | null> {
  const shown = await labelsShown(given);
  const data = shown === 'probabilities' ? hardened(given, LABELS) : given;
  const column = data.columns.get(LABELS);
  if (column === undefined) return null;
  const [size = 0, width = 0] = column.dims;
  const where = `${data.name}, ${LABELS}`;
  const counts: number[] = Array(data.classNames?.length ?? 0).fill(0);
  for (let start = 0; start < size; start += AT_ONCE) {
    const count = Math.min(AT_ONCE, size - start);
    if (shown === 'multi-hot' || shown === 'one-hot') {
      const hot = await readMatrix(column, start, count, { where, classes: undefined });
      for (const [i, one] of hot.entries()) counts[i % width] = (counts[i % width] ?? 0) + one;
    } else {
      for (const label of await readNumbers(column, start, count, where)) {
        if (label < 0 || label >= MAX_CLASSES) return null;
        counts[Number(label)] = (counts[Number(label)] ?? 0) + 1;
      }
    }
  }
  return Array.from(counts, (count) => count ?? 0);
}
