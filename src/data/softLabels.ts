import { LossgraftError } from '../errors.ts';
import { toNumbers } from '../numbers.ts';
import { isFloat, type Tensor } from '../tensor.ts';
import type { Column, Dataset } from './dataset.ts';
import { isMatrix } from './labelMatrix.ts';

/** How far a row of probabilities may sum beside 1: they are rounded, to float16 too. */
const TOLERANCE = 5e-3;

const AT_ONCE = 4096;

/** Whether rows are probabilities of all classes: floats from 0 to 1 that sum to 1, and not all of them 0 or 1. Memory: some rows. */
export async function areProbabilities(column: Column): Promise<boolean> {
  if (!isMatrix(column) || !isFloat(column.dtype)) return false;
  let isHard = true;
  for await (const { numbers, width } of pieces(column)) {
    for (let at = 0; at < numbers.length; at += width) {
      const row = numbers.slice(at, at + width);
      if (!row.every((value) => value >= 0 && value <= 1)) return false;
      if (Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) > TOLERANCE) return false;
      isHard &&= row.every((value) => value === 0 || value === 1);
    }
  }
  return !isHard;
}

/** The same data whose labels are the most probable classes; of equal ones the first. The probabilities stay beside them. */
export function hardened(data: Dataset, key: string): Dataset {
  const soft = data.columns.get(key);
  if (soft === undefined) return data;
  const width = soft.dims[1] ?? 0;
  const read = async (start: number, count: number): Promise<Tensor> => {
    const numbers = toNumbers(await soft.read(start, count));
    const labels = BigInt64Array.from({ length: count }, (_, i) => BigInt(largest(numbers, i * width, width)));
    return { dtype: 'int64', dims: [count], data: labels };
  };
  const labels: Column = { dtype: 'int64', dims: soft.dims.slice(0, 1), read };
  return { ...data, columns: new Map([...data.columns, [key, labels]]), softLabels: soft };
}

/** All probabilities, float32 [N, C]. @throws LossgraftError `labels-shape` for another number of classes than the model's. */
export async function readSoft(column: Column, where: string, classes: number | undefined): Promise<Float32Array> {
  const [size = 0, width = 0] = column.dims;
  if (classes !== undefined && width !== classes) {
    throw new LossgraftError({
      code: 'labels-shape',
      where,
      expected: `a probability for each of the model’s ${classes} classes, [N, ${classes}]`,
      found: `${column.dtype}[${column.dims.join(', ')}]`,
      hint: 'Give one column per class, in the order of the model’s scores',
    });
  }
  const all = new Float32Array(size * width);
  for await (const { numbers, start } of pieces(column)) all.set(numbers, start * width);
  return all;
}

async function* pieces(
  column: Column,
): AsyncGenerator<{ readonly numbers: readonly number[]; readonly start: number; readonly width: number }> {
  const [size = 0, width = 0] = column.dims;
  for (let start = 0; start < size; start += AT_ONCE)
    yield { numbers: [...toNumbers(await column.read(start, Math.min(AT_ONCE, size - start)))], start, width };
}

function largest(numbers: ArrayLike<number>, from: number, width: number): number {
  let best = 0;
  for (let k = 1; k < width; k++) if ((numbers[from + k] ?? 0) > (numbers[from + best] ?? 0)) best = k;
  return best;
}
