import { LossgraftError } from '../errors.ts';
import { toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import type { Column, Dataset } from './dataset.ts';
import { isMatrix, looksAt } from './labelMatrix.ts';

/**
 * Rows of 0 with a single 1, [N, C], as the index of each sample's class, where samples have exactly one; `undefined` for other labels.
 *
 * @param classes of the model, if known.
 * @throws LossgraftError `labels-shape` for another number of classes than the model's.
 */
export async function indexOneHot(
  data: Dataset,
  key: string,
  classes: number | undefined,
): Promise<Dataset | undefined> {
  const column = data.columns.get(key);
  if (column === undefined || !isMatrix(column) || (await looksAt(column)) !== 'one-hot') return undefined;
  const { name, notes = [] } = data;
  const [size = 0, width = 0] = column.dims;
  if (classes !== undefined && width !== classes) throw otherWidth(name, column, classes);
  const labels: Column = { dtype: 'int64', dims: [size], read: (start, count) => indices(column, start, count) };
  const columns = new Map([...data.columns, [key, labels]]);
  return { ...data, columns, notes: [...notes, `${name}: ${ONE_HOT}`] };
}

const ONE_HOT = 'labels are rows with one 1 each (one-hot), whose place is the class of the sample';

async function indices(column: Column, start: number, count: number): Promise<Tensor> {
  const numbers = toNumbers(await column.read(start, count));
  const width = column.dims[1] ?? 0;
  const data = BigInt64Array.from({ length: count }, (_, i) => BigInt(numbers.indexOf(1, i * width) - i * width));
  return { dtype: 'int64', dims: [count], data };
}

function otherWidth(where: string, { dtype, dims }: Column, classes: number): LossgraftError {
  return new LossgraftError({
    code: 'labels-shape',
    where: `${where}, labels`,
    expected: `one-hot labels of the model’s ${classes} classes, [N, ${classes}]`,
    found: `${dtype}[${dims.join(', ')}]`,
    hint: 'Give one column per class, in the order of the model’s scores, or one class index per sample',
  });
}
