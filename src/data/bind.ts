import { LossgraftError, option } from '../errors.ts';
import { fromNumbers, toNumbers } from '../numbers.ts';
import { describePort, type Port } from '../runtime/feeds.ts';
import { TASKS, type Task } from '../task.ts';
import { type DataType, elementCount, isText, type Shape, type Tensor } from '../tensor.ts';
import type { Column } from './dataset.ts';
import { type Dataset, LABELS } from './dataset.ts';
import { readMatrix } from './labelMatrix.ts';
import { readLabels } from './labels.ts';
import { noRows } from './noRows.ts';
import { preparedFor } from './prepared.ts';

/** Data matched to a model's inputs. */
export interface BoundData {
  /** Samples. */
  readonly size: number;
  /** What was converted or ignored. */
  readonly notes: readonly string[];
  /** The feeds of all samples, for the inputs whose data are in memory in the form they are fed in. */
  readonly whole: Readonly<Record<string, Tensor>>;
  /** The feeds of the samples `start` to `start + count`. */
  read(start: number, count: number): Promise<Record<string, Tensor>>;
}

/** The input that takes the labels. */
export interface LabelInput {
  readonly name: string;
  readonly classes: number | undefined;
  /** Default `exclusive`. */
  readonly task?: Task;
}

/**
 * Assigns a column to every input of a model, by name. The array of an .npy goes to the one remaining input; labels come from the column
 * with that input's name or from `labels`. Floats become the model's float type: float64 (NumPy's default) is rounded to float32, and
 * both to float16. Integer labels become int64. Nothing else is converted.
 *
 * @param labels `undefined`: no labels are read, and a column of labels is ignored.
 * @throws LossgraftError for missing columns, other dtypes, columns of different lengths; and while reading, for NaN and for labels out
 * of range, with the row.
 */
export function bindData(given: Dataset, inputs: readonly Port[], labels: LabelInput | undefined): BoundData {
  const features = inputs.filter((input) => input.name !== labels?.name);
  const data = preparedFor(given, features);
  const labelColumn = labelsIn(data, labels);
  const columns = features.map((input) => columnOf(data, input, features.length));
  const missing = inputs.filter((input) =>
    input.name === labels?.name ? labelColumn === undefined : columns[features.indexOf(input)] === undefined,
  );
  if (missing.length > 0 || (labels && !labelColumn)) throw missingColumns(data, withLabels(inputs, labels), missing);
  const notes: string[] = [...(data.notes ?? [])];
  const readers = features.flatMap((input, i) => {
    const column = columns[i];
    return column === undefined ? [] : [{ input, column, convert: conversion(data, input, column, notes) }];
  });
  const sized = labels && labelColumn ? [{ input: { name: labels.name }, column: labelColumn }] : [];
  const size = commonSize(data, [...readers, ...sized]);
  for (const { input, column } of readers) refuseShape(data, input, column);
  const used = new Set([...columns, labelColumn ?? data.columns.get(LABELS)]);
  const unused = [...data.columns].filter(([, column]) => !used.has(column)).map(([key]) => key);
  if (unused.length > 0) notes.push(`${data.name}: the model has no input ${unused.join(', ')}; left aside`);
  const where = `${data.name}, labels`;
  const read = async (start: number, count: number): Promise<Record<string, Tensor>> => {
    const feeds: Record<string, Tensor> = {};
    if (labels && labelColumn) {
      feeds[labels.name] = await readTargets(labelColumn, start, count, { where, ...labels });
    }
    for (const { input, column, convert } of readers) {
      const tensor = convert(await column.read(start, count));
      if (!column.mayBeNaN) refuseNaN(tensor, `${data.name}, input ${input.name}`, start);
      feeds[input.name] = tensor;
    }
    return feeds;
  };
  const whole = readers.flatMap(({ input, column: { whole: own } }) =>
    own !== undefined && own.dtype === input.dtype ? [[input.name, own] as const] : [],
  );
  return { size, notes, whole: Object.fromEntries(whole), read };
}

/** Class indices, int64 [count]; or a row of 0 and 1 per sample, float32 [count, C]. */
async function readTargets(
  column: Column,
  start: number,
  count: number,
  { where, classes, task }: LabelInput & { readonly where: string },
): Promise<Tensor> {
  if (task === 'multi-label') {
    const data = await readMatrix(column, start, count, { where, classes });
    return { dtype: 'float32', dims: [count, data.length / Math.max(1, count)], data };
  }
  return { dtype: 'int64', dims: [count], data: await readLabels(column, start, count, { where, classes }) };
}

function labelsIn({ columns }: Dataset, labels: LabelInput | undefined): Column | undefined {
  return labels && (columns.get(labels.name) ?? columns.get(LABELS));
}

/** The feeds of a model, and labels if it has no input for them. */
function withLabels(inputs: readonly Port[], labels: LabelInput | undefined): readonly Port[] {
  if (labels === undefined || inputs.some(({ name }) => name === labels.name)) return inputs;
  return [...inputs, labelPort(labels)];
}

/** The label input of a graph for that task. */
export function labelPort({ name, classes, task = 'exclusive' }: LabelInput): Port {
  const { dtype, perClass } = TASKS[task].labels;
  return { name, dtype, shape: [undefined, ...(perClass ? [classes] : [])] };
}

function columnOf(data: Dataset, input: Port, inputs: number): Column | undefined {
  return data.columns.get(input.name) ?? (inputs === 1 ? data.unnamed : undefined);
}

function missingColumns(data: Dataset, inputs: readonly Port[], missing: readonly Port[]): LossgraftError {
  const found = [...data.columns.keys(), ...(data.unnamed === undefined ? [] : ['a single unnamed array'])];
  const labelsOnly =
    missing.length === 0 || (missing.length === 1 && missing[0]?.dtype === 'int64' && data.unnamed !== undefined);
  return new LossgraftError({
    code: 'missing-data',
    where: data.name,
    expected: `arrays ${inputs.map((input) => `${input.name} (${describePort(input.dtype, input.shape)})`).join(', ')}`,
    found: found.join(', ') || 'none',
    hint: labelsOnly
      ? `Give the labels with ${option('labels')}`
      : `Missing: ${missing.map((input) => input.name).join(', ')}. Name the arrays of the .npz after the inputs of the model`,
  });
}

type Convert = (tensor: Tensor) => Tensor;

const HINTS: Partial<Record<DataType, string>> = {
  uint8: 'Scale the data as the model was trained on, for example x.astype("float32") / 255',
};

function conversion(data: Dataset, input: Port, column: Column, notes: string[]): Convert {
  const { dtype } = column;
  if (dtype === input.dtype) return (tensor) => tensor;
  if (ROUNDED[input.dtype ?? 'bool']?.includes(dtype)) {
    notes.push(`${data.name}: ${input.name} is ${dtype}; rounded to the model's ${input.dtype}`);
    return (tensor) => converted(tensor, input.dtype);
  }
  if (EXACT[input.dtype ?? 'bool']?.includes(dtype)) return (tensor) => converted(tensor, input.dtype);
  throw new LossgraftError({
    code: 'data-dtype',
    where: `${data.name}, input ${input.name}`,
    expected: describePort(input.dtype, input.shape),
    found: describePort(dtype, column.dims),
    hint: HINTS[dtype] ?? `Convert it, for example x.astype("${input.dtype}")`,
  });
}

/** Conversions to an input's element type that lose nothing. */
const EXACT: Partial<Record<DataType, readonly DataType[]>> = { float32: ['float16'], float64: ['float32', 'float16'] };

/** Conversions that round. */
const ROUNDED: Partial<Record<DataType, readonly DataType[]>> = {
  float32: ['float64'],
  float16: ['float32', 'float64'],
};

function converted(tensor: Tensor, dtype: DataType | undefined): Tensor {
  if (dtype === undefined) return tensor;
  const data = isText(tensor.data) ? undefined : fromNumbers(toNumbers(tensor), dtype);
  return data === undefined ? tensor : { dtype, dims: tensor.dims, data };
}

/** The batch may have any size; an undefined shape is an unknown rank. */
function refuseShape(data: Dataset, input: Port, column: Column): void {
  const { dtype, dims } = column;
  const { shape } = input;
  const fits =
    shape?.length === dims.length &&
    shape.every((dim, axis) => axis === 0 || typeof dim !== 'number' || dim === dims[axis]);
  if (shape === undefined || shape.length === 0 || fits) return;
  throw new LossgraftError({
    code: 'data-shape',
    where: `${data.name}, input ${input.name}`,
    expected: describePort(input.dtype, shape),
    found: describePort(dtype, dims),
    hint:
      tokenHint(shape, column) ??
      tableHint(shape, column, data) ??
      `Reshape or prepare the data as for the model’s training${imageHint(shape, column)}`,
  });
}

/** The error for token rows of another length than the model reads. */
function tokenHint(shape: NonNullable<Shape>, { dtype, dims }: Column): string | undefined {
  const [, length] = shape;
  if (shape.length !== 2 || dims.length !== 2 || typeof length !== 'number' || !/^int(32|64)$/.test(dtype))
    return undefined;
  return `The model reads rows of ${length}: for texts, add ${option('maxLength', length)}`;
}

/** The error for a table with more columns than the model reads. */
function tableHint(shape: NonNullable<Shape>, { dims }: Column, { name }: Dataset): string | undefined {
  const [, width] = shape;
  const isWider = typeof width === 'number' && shape.length === 2 && dims.length === 2 && (dims[1] ?? 0) > width;
  if (!isWider || !/\.(csv|tsv|parquet)$/i.test(name)) return undefined;
  return `The model reads ${width} numbers: leave other columns out with ${option('drop')}, or choose with ${option('featureColumns')}`;
}

/** The error for images of another size than the model reads. */
function imageHint(shape: NonNullable<Shape>, { black, dims }: Column): string {
  const [, channels, height, width] = shape;
  if (black === undefined || dims.length !== 4 || shape.length !== 4) return '';
  const size =
    typeof height === 'number' && typeof width === 'number' ? ` ${option('resize', `${height}x${width}`)}` : '';
  return `; a folder of images with${size} ${option('channels', channels)}, or ${option('preprocess')}`;
}

function commonSize(
  data: Dataset,
  columns: readonly { readonly input: { readonly name: string }; readonly column: Column }[],
): number {
  const sizes = columns.map(({ input, column }) => ({ name: input.name, rows: column.dims[0] }));
  const size = sizes[0]?.rows;
  if (size !== undefined && size > 0 && sizes.every(({ rows }) => rows === size)) return size;
  if (sizes.every(({ rows }) => rows === 0)) throw noRows(data.name);
  throw new LossgraftError({
    code: 'data-size',
    where: data.name,
    expected: 'the same number of samples, at least one, in every array',
    found: sizes.map(({ name, rows }) => `${name}: ${rows ?? 'a scalar'}`).join(', '),
    hint: 'Use one row per sample in each',
  });
}

function refuseNaN({ dtype, dims, data }: Tensor, where: string, start: number): void {
  const at = firstNaN(dtype, data);
  if (at < 0) return;
  const width = elementCount(dims.slice(1));
  throw new LossgraftError({
    code: 'nan-in-data',
    where: `${where}, row ${start + Math.floor(at / width)}`,
    expected: 'numbers',
    found: `NaN at element ${at % width} of the row`,
    hint: 'The loss of that sample would be NaN; clean the data or remove the row',
  });
}

function firstNaN(dtype: DataType, data: Tensor['data']): number {
  if (data instanceof Float32Array || data instanceof Float64Array) {
    for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i])) return i;
  }
  if (dtype === 'float16' && data instanceof Uint16Array) return data.findIndex((bits) => (bits & 0x7fff) > 0x7c00);
  return -1;
}
