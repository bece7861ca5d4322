import { dataRows, type OptionsOf, type Row, text } from '../src/catalogue.ts';
import type { Dataset } from '../src/index.ts';
import type { Door } from './command.ts';

const GROUP = 'Options of the data:';

/** Options for reading data, under a heading of their own; --labels is listed beside --data. */
const { labels, model: _model, ...others } = dataRows;

type Grouped<T> = { readonly [K in keyof T]: T[K] & { readonly group: string } };

/** The options for the location and reading of data. */
export const dataOptionRows = {
  data: text(
    `NumPy: an .npz with the names of the model’s inputs and labels as keys, or an .npy for a model with one input
MNIST: IDX files (.gz too), or their folder
Images or .txt files: a folder with a subfolder for each class
Tables: .csv, .tsv or .parquet; several as a.csv,b.csv or 'part-*.csv'
A folder of shards, which lossgraft shard wrote from any of these`,
    { required: true, isInput: true },
  ),
  labels,
  ...grouped(others),
} as const;

function grouped<T extends Readonly<Record<string, Row>>>(rows: T): Grouped<T> {
  const entries = Object.entries(rows).map(([key, row]) => [key, { ...row, group: GROUP }]);
  return Object.fromEntries(entries) as Grouped<T>;
}

/** Opens further data, such as test data, with the options of the first. From an IDX folder it takes the test part. */
export function openFurther(
  { openData }: Door,
  path: string,
  { split: _split, labels: _labels, ...options }: OptionsOf<typeof dataRows>,
): Promise<Dataset> {
  return openData(path, { ...options, otherwiseSplit: 'test' });
}
