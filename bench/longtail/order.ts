import { longTailRows } from '../../src/data/longTail.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import { labelsOf } from '../../src/data/split.ts';
import { openData, type Tensor, writeNpz } from '../../src/index.ts';
import { openOptions, type Setup } from './works.ts';

/** Writes the training rows of a run, and their order in every epoch, as an .npz for reference.py: `rows`, `epoch0`, `epoch1`, …. */
export async function writeOrder(
  path: string,
  { work, data: folder }: Pick<Setup, 'work' | 'data'>,
  { seed, epochs }: { readonly seed: number; readonly epochs: number },
): Promise<void> {
  const { imbalance } = work;
  const data = await openData(work.train(folder), openOptions(work));
  const labels = await labelsOf(data);
  data.close();
  const rows =
    imbalance === undefined
      ? Uint32Array.from(labels, (_, row) => row)
      : longTailRows(labels, { ratio: imbalance, type: 'exp', seed });
  const column = (values: Uint32Array): Tensor => ({ dtype: 'uint32', dims: [values.length], data: values });
  const orders = Array.from({ length: epochs }, (_, epoch): [string, Tensor] => [
    `epoch${epoch}`,
    column(epochOrder(rows, seed, epoch)),
  ]);
  await writeNpz(path, { rows: column(rows), ...Object.fromEntries(orders) });
}
