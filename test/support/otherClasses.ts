import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Dataset,
  fromTensors,
  open,
  openData,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT } from './cli.ts';
import { DIGITS } from './digits.ts';

interface Centroids {
  readonly classes: readonly string[];
  readonly rows: number;
  readonly predicted: readonly number[];
}

export const MODEL: string = join(DIGITS, 'model.onnx');

/** See fixtures/newHead/centroids.py. */
export const centroids: Centroids = JSON.parse(
  readFileSync(join(ROOT, 'fixtures/newHead/centroids.json'), 'utf8'),
) as Centroids;

/** The digits and what they are. */
export async function digits(
  part: 'train' | 'test',
  rows = Number.POSITIVE_INFINITY,
): Promise<{ images: Tensor; labels: number[] }> {
  const data = await openData(join(DIGITS, `${part}.npz`));
  const read = async (name: string): Promise<Tensor> => {
    const column = data.columns.get(name);
    if (column === undefined) throw new Error(`no ${name}`);
    return column.read(0, Math.min(rows, column.dims[0] ?? 0));
  };
  const [images, labels] = [await read('images'), await read('labels')];
  data.close();
  return { images, labels: toNumbers(labels) };
}

/** Other classes than the ten digits: even, low, odd. */
export const regroup = (digit: number): number => (digit < 3 ? 1 : digit % 2 === 0 ? 0 : 2);

/** The digits by names of these classes, or by `nameOf`. */
export async function named(
  part: 'train' | 'test',
  nameOf = (digit: number): string => centroids.classes[regroup(digit)] ?? '',
  rows?: number,
): Promise<Dataset> {
  const { images, labels } = await digits(part, rows);
  const data = labels.map(nameOf);
  return fromTensors({ images, labels: { dtype: 'string', dims: [data.length], data } }, `${part} of other classes`);
}

/** Trains the digits network, on other classes unless told otherwise. */
export async function trained(
  folder: string,
  options: Partial<TrainOptions>,
): Promise<TrainResult & { readonly notes: readonly string[] }> {
  using model = await open(MODEL);
  const data = options.data ?? (await named('train'));
  const result = await train(model, { report: false, epochs: 12, ...options, data, folder });
  return result;
}
