import { createHash } from 'node:crypto';
import type { LabelInput } from '../data/bind.ts';
import { type Dataset, LABELS, type TableCells } from '../data/dataset.ts';
import { crossSplits } from '../data/folds.ts';
import { longTailRows } from '../data/longTail.ts';
import { preparedFor } from '../data/prepared.ts';
import type { Part } from '../data/samples.ts';
import { openSamples, type Samples, targetsOf } from '../data/samples.ts';
import { labelsOf, type Split, stratifiedSplit } from '../data/split.ts';
import { isRecorded, type Preparation } from '../data/tables/preparation.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Port } from '../runtime/session.ts';
import type { TrainOptions } from './options.ts';

/** The divided data of a run. */
export interface DividedData {
  readonly train: Part;
  readonly validation: Part;
  readonly test?: Part;
  /** Rows for cross-validation: finally all are trained on, and each is judged by a model trained on the other folds. */
  readonly folds?: readonly Split[];
  /** Training samples of each class. */
  readonly counts: readonly number[];
  /** How tables are prepared, from the model or the training rows; `undefined` for other data. */
  readonly preparation: Preparation | undefined;
  readonly notes: readonly string[];
  /** A fingerprint of these data. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const DEFAULT_SHARE = 0.2;

/** Opens all data of a run, cuts the long tail, and holds out the validation part. @throws LossgraftError for data that do not fit. */
export async function divide(
  options: TrainOptions,
  ports: readonly Port[],
  labels: LabelInput & { readonly classes: number },
  { seed, recorded, foldsFor }: DivideHow,
): Promise<DividedData> {
  const { data, validation = DEFAULT_SHARE, test, imbalance: ratio, imbalanceType: type = 'exp' } = options;
  const features = ports.filter(({ name }) => name !== labels.name);
  if (labels.task !== 'multi-label') await refuseMore(data, labels.classes);
  const rowsOf = async (of: BigInt64Array): Promise<Held> => {
    const all = ratio === undefined ? everyRow(of) : longTailRows(of, { ratio, type, seed });
    const isShare = typeof validation === 'number';
    const held = { all, ...(isShare ? holdOut(of, all, validation, seed) : { train: all, validation: undefined }) };
    const folds = await foldsFor({ labels: of, ...held });
    return folds > 1 ? { ...held, ...crossed(of, all, folds, seed) } : held;
  };
  const fitted = recorded === undefined ? await fitTable(data, features, labels, rowsOf) : undefined;
  const preparation = data.table === undefined ? undefined : (recorded ?? fitted?.preparation);
  const open = (dataset: Dataset): Promise<Samples> =>
    openSamples(preparedFor(dataset, features, preparation), ports, labels);
  const samples = await open(data);
  const held = await rowsOf(samples.labels);
  const own = typeof validation === 'number' ? undefined : await open(validation);
  const train = { samples, rows: held.train };
  const judged = own
    ? { samples: own, rows: everyRow(own.labels) }
    : { samples, rows: held.validation ?? new Uint32Array() };
  const tested = test === undefined ? undefined : await open(test);
  const counts = countsOf(train, labels.classes);
  const openedAll = [samples, own, tested].filter((opened) => opened !== undefined);
  return {
    train,
    validation: judged,
    ...(tested ? { test: { samples: tested, rows: everyRow(tested.labels) } } : {}),
    ...(held.folds ? { folds: held.folds } : {}),
    counts,
    preparation,
    notes: [
      ...(ratio === undefined ? [] : [`The long tail keeps ${held.all.length} of ${samples.size} samples`]),
      ...(fitted?.notes ?? []),
      ...openedAll.flatMap(({ notes }) => notes),
      ...fewer(data, labels.classes),
      ...lacking('training', counts, data, 'what the model knows of it may be lost'),
      ...lacking('validation', countsOf(judged, labels.classes), data, 'the balanced accuracy ignores it'),
      ...same('validation', data, validation),
      ...same('test', data, test),
    ],
    settings: {
      data: identity(samples),
      validation: own ? identity(own) : held.folds ? `${held.folds.length} folds` : validation,
      test: tested ? identity(tested) : null,
      imbalance: ratio === undefined ? null : `${ratio} ${type}`,
      ...(preparation !== undefined && isRecorded(preparation) ? { preparation } : {}),
    },
  };
}

interface DivideHow {
  readonly seed: number;
  readonly recorded: Preparation | undefined;
  /** The number of folds to judge these samples with; 1 keeps the split. */
  foldsFor(held: HeldOut): Promise<number>;
}

/** Labels of the training data, and the rows for training and for validation. */
export interface HeldOut {
  readonly labels: BigInt64Array;
  readonly train: Uint32Array;
  readonly validation: Uint32Array | undefined;
}

/** Rows of the training data after cutting the long tail. */
interface Held {
  readonly all: Uint32Array;
  readonly train: Uint32Array;
  readonly validation: Uint32Array | undefined;
  readonly folds?: readonly Split[];
}

/** The preparation of a table that its training rows decide. */
async function fitTable(
  { table, ...data }: Dataset,
  features: readonly Port[],
  labels: LabelInput,
  rowsOf: (labels: BigInt64Array) => Promise<Held>,
): Promise<ReturnType<TableCells['fit']> | undefined> {
  const column = data.columns.get(labels.name) ?? data.columns.get(LABELS);
  if (table === undefined || column === undefined) return undefined;
  const { labels: all } = await targetsOf(data, column, labels);
  return table.fit(features, (await rowsOf(all)).train);
}

/** All rows are trained on, and each is validated in one fold. */
function crossed(all: BigInt64Array, rows: Uint32Array, folds: number, seed: number): Omit<Held, 'all'> {
  const labels = Array.from(rows, (row) => all[row] ?? 0n);
  const back = (places: Uint32Array): Uint32Array => places.map((place) => rows[place] ?? 0);
  const splits = crossSplits(labels, folds, seed).map(({ train, validation }) => ({
    train: back(train),
    validation: back(validation),
  }));
  const validation = Uint32Array.from(splits.flatMap((split) => [...split.validation]));
  return { train: rows, validation, folds: splits };
}

function everyRow({ length }: { readonly length: number }): Uint32Array {
  return Uint32Array.from({ length }, (_, row) => row);
}

function holdOut(
  all: BigInt64Array,
  rows: Uint32Array,
  share: number,
  seed: number,
): { train: Uint32Array; validation: Uint32Array } {
  const labels = Array.from(rows, (row) => all[row] ?? 0n);
  const { train, validation } = stratifiedSplit(labels, share, seed);
  const back = (places: Uint32Array): Uint32Array => places.map((place) => rows[place] ?? 0);
  return { train: back(train), validation: back(validation) };
}

export function countsOf({ samples, rows }: Part, classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  const { hot } = samples;
  if (hot) {
    for (const row of rows)
      for (let k = 0; k < classes; k++) counts[k] = (counts[k] ?? 0) + (hot[row * classes + k] ?? 0);
    return counts;
  }
  for (const row of rows) {
    const label = Number(samples.labels[row]);
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
}

function lacking(what: string, counts: readonly number[], { classNames = [] }: Dataset, so: string): string[] {
  const empty = counts.flatMap((count, k) => (count === 0 ? [classNames[k] ?? String(k)] : []));
  if (empty.length === 0) return [];
  return [`No ${what} sample of class ${empty.slice(0, 10).join(', ')}${empty.length > 10 ? ', …' : ''}: ${so}`];
}

/**
 * For data with more classes than the model. @throws LossgraftError `class-count-mismatch` with the rarest ones, because typos are rare.
 */
async function refuseMore(data: Dataset, classes: number): Promise<void> {
  const { classNames: names = [] } = data;
  if (names.length <= classes) return;
  const counts = Array<number>(names.length).fill(0);
  for (const label of await labelsOf(data, names.length)) counts[Number(label)] = (counts[Number(label)] ?? 0) + 1;
  const rarest = names.map((name, k) => ({ name, count: counts[k] ?? 0 })).sort((a, b) => a.count - b.count);
  const shown = rarest.slice(0, 3).map(({ name, count }) => `${JSON.stringify(name)} (${count})`);
  throw new LossgraftError({
    code: 'class-count-mismatch',
    where: data.name,
    expected: `at most ${classes} classes, the number that the model has`,
    found: `${names.length}, with the fewest samples ${shown.join(', ')}`,
    hint: `A typo in a label or folder creates an extra class: correct it. If the data do have more classes, give the model a new last layer for them: ${option('head', 'new')}`,
  });
}

/** If a name is missing, sorted names have other indices than the model's. */
function fewer({ name, classNames }: Dataset, classes: number): string[] {
  if (classNames === undefined || classNames.length === classes) return [];
  return [
    `${name} has ${classNames.length} classes, the model tells ${classes} apart: where that is not meant, ${option('classes')} names all of them in the model's order, so that no index moves; ${option('head', 'new')} gives the model just the classes of the data`,
  ];
}

/** Test data must not be the training data. */
function same(what: string, data: Dataset, other: Dataset | number | undefined): string[] {
  if (typeof other !== 'object' || other.name !== data.name) return [];
  return [`The ${what} data are the training data, ${data.name}: they say nothing about new samples`];
}

/** Size and labels: a checkpoint continues only with the same data, wherever they are. */
function identity({ size, labels, hot, soft }: Samples): string {
  const own = soft ?? labels;
  const bytes = hot ?? new Uint8Array(own.buffer, own.byteOffset, own.byteLength);
  return `${size} samples, labels ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;
}
