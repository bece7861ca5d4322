import { LossgraftError, option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { pick } from '../options/check.ts';
import {
  choice,
  count,
  flag,
  isText,
  names,
  number,
  numbers,
  type OptionsOf,
  signalRow,
  text,
  texts,
  value,
} from '../options/row.ts';

const KIND_NAMES = {
  arrays: 'NumPy arrays',
  idx: 'IDX files',
  images: 'a folder of images',
  csv: 'a CSV of numbers',
  parquet: 'a Parquet table of numbers',
  csvTexts: 'a CSV of texts',
  parquetTexts: 'a Parquet table of texts',
  texts: 'a folder of texts',
  csvImages: 'a CSV of paths of images',
  parquetImages: 'a Parquet table of paths of images',
  shards: 'a folder of shards',
} as const;

/** A kind of data. */
export type DataKind = keyof typeof KIND_NAMES;

const TABLES = ['csv', 'parquet', 'csvTexts', 'parquetTexts', 'csvImages', 'parquetImages'] as const;
const CSV = ['csv', 'csvTexts', 'csvImages'] as const;
const TEXTS = ['csvTexts', 'parquetTexts', 'texts'] as const;
const IMAGE_TABLES = ['csvImages', 'parquetImages'] as const;
const IMAGES = ['images', ...IMAGE_TABLES] as const;

/** Of images. */
const imageRows = {
  /** A preprocess file, Hugging Face's preprocessor_config.json, instead of the options below. */
  preprocess: text(
    `Images: Hugging Face’s preprocessor_config.json, instead of ${option('resize')}, ${option('crop')}, ${option('mean')} and so on`,
    { isInput: true, kinds: IMAGES },
  ),
  /** `256`: the shorter side; `224x224`: height and width. */
  resize: text('Images: 256 for the shorter side, or 224x192 for height and width', { kinds: IMAGES }),
  /** Default `bilinear`. */
  resample: choice(
    ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'],
    'Images: Pillow’s filter for resizing',
    { default: 'bilinear', kinds: IMAGES },
  ),
  /** The middle of the image: `224`, or `224x192`, height and width. */
  crop: text('Images: crop the centre, 224 or 224x192', { kinds: IMAGES }),
  /** 3 (RGB, the default) or 1 (grey). */
  channels: number('Images: 3 for RGB (default), or 1 for grey', '1 or 3', (n) => n === 1 || n === 3, {
    kinds: IMAGES,
  }),
  /** Subtracted from the channels after they are scaled to 0…1: one number for all channels, or one for each. Default 0. */
  mean: numbers('Images, IDX: subtract this after scaling to 0…1; one number, or one per channel (default 0)', {
    kinds: [...IMAGES, 'idx'],
  }),
  /** What the channels are divided by then. Default 1. */
  std: numbers('Images, IDX: then divide by this (default 1)', { kinds: [...IMAGES, 'idx'] }),
};

type Columns = readonly string[] | Readonly<Record<string, readonly string[]>>;

const isTexts = (given: unknown): given is readonly string[] => Array.isArray(given) && given.every(isText);
const isColumns = (given: unknown): given is Columns =>
  isTexts(given) || (isRecord(given) && Object.values(given).every(isTexts));

/** Of CSV and Parquet tables. */
export const tableRows = {
  /** The column of labels. Default: the one named `label` or `labels`. */
  labelColumn: text('Tables: the column of labels (default: label or labels)', { first: true, kinds: TABLES }),
  /** Samples that may have several labels: the columns of 0 and 1, one per label, in the order of the model's scores or with its names. */
  labelColumns: texts('Tables, multi-label: the columns of 0 and 1, one per label: a,b,c or label_*', {
    kinds: TABLES,
  }),
  /** Samples that may have several labels: the separator between their names in the label column. */
  labelSeparator: text('Tables, multi-label: what separates the names in the column of labels, such as | or ;', {
    kinds: TABLES,
  }),
  /**
   * The model's inputs and the numeric columns that make each: `{ x: ['age', 'height'] }`, or a list for a model with one input.
   * Default: all columns other than the labels, in the file's order.
   */
  featureColumns: value(
    'a list of columns, or an object that gives each input its list',
    isColumns,
    'Tables: the columns of numbers: a,b,c, or x=a,b;y=c for several inputs (default: all others)',
    { kinds: ['csv', 'parquet'], reads: 'COLUMN,… or INPUT=COLUMN,…;… with each input once', parse: parseColumns },
  ),
  /** Columns of a table that are not features, such as identifiers. */
  drop: texts('Tables: columns to leave out of the features, such as identifiers: id,name', {
    kinds: ['csv', 'parquet'],
    excludes: ['featureColumns'],
  }),
  /** How to treat missing cells: refuse them, fill them in, or drop their rows. `train` fits what they are filled with. */
  missing: choice(
    ['mean', 'median', 'mode', 'drop', 'keep'],
    'Tables: how to treat missing cells: fill them with the column’s mean, median or most frequent value over the training rows, which the trained ' +
      'model records; drop the row; or keep NaN, for models that fill cells themselves (default: refuse such a row)',
    { kinds: ['csv', 'parquet'] },
  ),
  /** Columns that hold categories even if some or all of their cells look like numbers. */
  categorical: texts('Tables: columns of categories that look like numbers, such as codes: zip,grade', {
    kinds: ['csv', 'parquet'],
  }),
  /** How categories become numbers. Default: what fits the model's input. */
  categories: choice(
    ['one-hot', 'ordinal'],
    'Tables: categories as zeros and ones behind the numbers, or as indices in place; in sorted order (default: what fits the model’s input)',
    { kinds: ['csv', 'parquet'] },
  ),
  /** The categories of columns, if their order is not the sorted one or these data lack some. */
  categoryOrder: value(
    'an object that gives columns their lists of categories',
    (given: unknown): given is Readonly<Record<string, readonly string[]>> =>
      isRecord(given) && Object.values(given).every(isTexts),
    'Tables: the categories of columns, if their order is not the sorted one or these data lack some: size=S,M,L;colour=red,blue, or a .json file',
    {
      kinds: ['csv', 'parquet'],
      reads: 'COLUMN=CATEGORY,…;… or a .json file of an object of lists',
      parse: async (given: string) => (await import('./tables/categoryOrder.ts')).readCategoryOrder(given),
    },
  ),
  /** How to treat a category that the model was not trained with. */
  unknownCategory: choice(
    ['error', 'ignore'],
    'Tables: refuse a category that the model was not trained with, or encode it as none: zeros, or the index −1',
    { default: 'error', kinds: ['csv', 'parquet'] },
  ),
  /** The column of image paths in a table. Default: the one with such a name whose first cell is one. */
  imageColumn: text('Tables: the column of image paths (default: image, path, file_name or the like)', {
    kinds: IMAGE_TABLES,
  }),
  /** The column of texts in a table. */
  textColumn: text('Tables: the column of texts (default: text, or the only one beside the labels)', {
    kinds: ['csvTexts', 'parquetTexts'],
  }),
  /** The delimiter of a CSV. Default: a tab in .tsv files, a comma in others. */
  delimiter: value('a text', isText, 'CSV: the separator; tab means a tab (default: a comma)', {
    kinds: CSV,
    parse: (given: string) => (given === 'tab' ? '\t' : given),
  }),
  /** Does the first line of a CSV name the columns? Default yes; otherwise their names are `0`, `1`, …. */
  header: flag('', {
    flag: false,
    kinds: CSV,
    switches: { 'no-header': { value: false, describe: 'CSV: the first line does not name the columns' } },
  }),
};

/** Of texts. */
const textRows = {
  /** A tokenizer.json of Hugging Face. */
  tokenizer: text('Texts: a tokenizer.json', { isInput: true, kinds: TEXTS }),
  /** Texts are truncated and padded to this many tokens. */
  maxLength: count('Texts: truncate and pad to this many tokens', { kinds: TEXTS }),
  /** The model's own names for `input_ids`, `attention_mask` and `token_type_ids`, if they differ. */
  tokenInputs: names('Texts: the model’s own input names: input_ids=ids,attention_mask=mask', 'input_ids=ids', {
    kinds: TEXTS,
  }),
};

/** Names of the model's classes, in the order of its scores. */
export const classesRow = value(
  'a list of texts',
  isTexts,
  'Class names in the order of the model’s scores: a,b,c, or a .txt or .json file (default: the model’s own names)',
  { parse: async (given: string) => (await import('../classes/file.ts')).readClassNames(given) },
);

/** The options of `openData`. Each lists the kinds of data that have it; others refuse it. */
export const dataRows = {
  /** A file of labels, for data that have none: .npy, .npz with an array `labels`, IDX, or .txt with one label per line. */
  labels: text(`A file of labels, if ${option('data')} has none`, {
    isInput: true,
    kinds: ['arrays', 'idx', ...TABLES],
  }),
  /** Which part of an MNIST-style folder to read. Default `train`. */
  split: choice(
    ['train', 'test'],
    `IDX folders: which part of ${option('data')} (default train); ${option('validation')} and ${option('test')} take the test part`,
    { kinds: ['idx'] },
  ),
  /** Which part of an MNIST-style folder to read if it has several and `split` is not given. Other data have no parts. */
  otherwiseSplit: choice(['train', 'test'], '', { flag: false, kinds: Object.keys(KIND_NAMES) }),
  /** Samples read without labels: data need not have any, and existing ones are ignored. */
  unlabelled: flag('', { flag: false, kinds: Object.keys(KIND_NAMES) }),
  /** The model that reads them, or its folder: Hugging Face files there say how to prepare images and tokenize texts, unless options do. */
  model: text('', { flag: false, kinds: Object.keys(KIND_NAMES) }),
  /** Names of the model's classes, in the order of its scores. Default: names are sorted, until `train` or `run` knows the model. */
  classes: { ...classesRow, kinds: Object.keys(KIND_NAMES) },
  /** Aborts the reading of tables and folders. */
  signal: { ...signalRow, kinds: Object.keys(KIND_NAMES) },
  ...imageRows,
  ...tableRows,
  ...textRows,
} as const;

/** How data are read. */
export type DataOptions = OptionsOf<typeof dataRows>;
export type ImageOptions = OptionsOf<typeof imageRows>;
export type TableOptions = OptionsOf<typeof tableRows>;
export type TextOptions = OptionsOf<typeof textRows>;

/** Pillow's filters. */
export type ResampleFilter = NonNullable<ImageOptions['resample']>;

/** @throws LossgraftError `unused-data-option` for an option that would be ignored. */
export function refuseUnused(path: string, kind: DataKind, options: DataOptions): void {
  const kindsOf = new Map<string, readonly string[]>(Object.entries(dataRows).map(([key, { kinds }]) => [key, kinds]));
  const inner: readonly string[] = ['otherwiseSplit', 'model', 'signal', 'unlabelled'];
  const unused = Object.keys(pick(dataRows, options)).find((key) => !kindsOf.get(key)?.includes(kind));
  if (unused === undefined) return;
  const known = [...kindsOf].flatMap(([key, kinds]) => (kinds.includes(kind) && !inner.includes(key) ? [key] : []));
  throw new LossgraftError({
    code: 'unused-data-option',
    where: `${path}, option ${unused}`,
    expected: `${KIND_NAMES[kind]}: options ${known.join(', ')}`,
    found: `the option ${unused}, which does not apply to such data`,
    hint: 'Leave it out',
  });
}

/** `a,b` or `x=a,b;y=c` */
function parseColumns(given: string): Columns | undefined {
  if (!given.includes('=')) return given.split(',');
  const pairs = given.split(';').map((part) => [part.slice(0, part.indexOf('=')).trim(), part] as const);
  const inputs = new Set(pairs.map(([input]) => input));
  if (inputs.size !== pairs.length || pairs.some(([input, part]) => input === '' || !part.includes('=')))
    return undefined;
  return Object.fromEntries(pairs.map(([input, part]) => [input, part.slice(part.indexOf('=') + 1).split(',')]));
}
