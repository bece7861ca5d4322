import { LossgraftError } from '../errors.ts';

/** Of images. */
export interface ImageOptions {
  /** A preprocess file, Hugging Face's preprocessor_config.json, instead of the options below. */
  readonly preprocess?: string;
  /** `256`: the shorter side; `224x224`: height and width. */
  readonly resize?: string;
  /** Default `bilinear`. */
  readonly resample?: ResampleFilter;
  /** The middle of the image: `224`, or `224x192`, height and width. */
  readonly crop?: string;
  /** 3 (RGB, the default) or 1 (grey). */
  readonly channels?: number;
  /** Subtracted from the channels after they are scaled to 0…1: one number for all channels, or one for each. Default 0. */
  readonly mean?: readonly number[];
  /** What the channels are divided by then. Default 1. */
  readonly std?: readonly number[];
}

/** Pillow's filters. */
export type ResampleFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

/** Of CSV and Parquet tables. */
export interface TableOptions {
  /** The column of labels. Default: the one called `label` or `labels`. */
  readonly labelColumn?: string;
  /**
   * The model's inputs and the numeric columns that make each: `{ x: ['age', 'height'] }`, or a list for a model with one input.
   * Default: all columns but that of the labels, in the file's order.
   */
  readonly featureColumns?: readonly string[] | Readonly<Record<string, readonly string[]>>;
  /** What separates the cells of a CSV. Default: a tab in .tsv files, a comma in others. */
  readonly delimiter?: string;
  /** Does the first line of a CSV name the columns? Default yes; otherwise they are called `0`, `1`, …. */
  readonly header?: boolean;
}

/** Of texts. */
export interface TextOptions {
  /** A tokenizer.json of Hugging Face. */
  readonly tokenizer?: string;
  /** The column of texts in a table. */
  readonly textColumn?: string;
  /** Texts are cut, and filled up with padding, to this many tokens. */
  readonly maxLength?: number;
  /** What the model calls `input_ids`, `attention_mask` and `token_type_ids`, where it has other names for them. */
  readonly tokenInputs?: Readonly<Record<string, string>>;
}

/** How data are read. An option that the kind of data does not have is refused. */
export interface DataOptions extends ImageOptions, TableOptions, TextOptions {
  /** A file of labels, for data that have none: .npy, .npz with an array `labels`, or IDX. */
  readonly labels?: string;
  /** Names of the classes in the order of their indices. Default: they are sorted; labels in a table that are whole numbers are indices. */
  readonly classes?: readonly string[];
  /** Which part of a folder in the manner of MNIST. Default `train`. */
  readonly split?: 'train' | 'test';
  /** Which part where a folder in the manner of MNIST has several and `split` says nothing. Other data have no parts. */
  readonly otherwiseSplit?: 'train' | 'test';
}

type DataOption = keyof DataOptions;

/** A kind of data. */
export type DataKind = 'arrays' | 'idx' | 'images' | 'csv' | 'parquet' | 'csvTexts' | 'parquetTexts' | 'texts';

const OPTIONS_OF: Readonly<Record<DataKind, readonly DataOption[]>> = {
  arrays: ['labels'],
  idx: ['labels', 'split', 'mean', 'std'],
  images: ['classes', 'preprocess', 'resize', 'resample', 'crop', 'channels', 'mean', 'std'],
  csv: ['labels', 'labelColumn', 'featureColumns', 'delimiter', 'header', 'classes'],
  parquet: ['labels', 'labelColumn', 'featureColumns', 'classes'],
  csvTexts: [
    'labels',
    'labelColumn',
    'delimiter',
    'header',
    'classes',
    'tokenizer',
    'textColumn',
    'maxLength',
    'tokenInputs',
  ],
  parquetTexts: ['labels', 'labelColumn', 'classes', 'tokenizer', 'textColumn', 'maxLength', 'tokenInputs'],
  texts: ['classes', 'tokenizer', 'maxLength', 'tokenInputs'],
};

const KIND_NAMES: Readonly<Record<DataKind, string>> = {
  arrays: 'NumPy arrays',
  idx: 'IDX files',
  images: 'a folder of images',
  csv: 'a CSV of numbers',
  parquet: 'a Parquet table of numbers',
  csvTexts: 'a CSV of texts',
  parquetTexts: 'a Parquet table of texts',
  texts: 'a folder of texts',
};

/** @throws LossgraftError `unused-data-option` for an option that would be ignored. */
export function refuseUnused(path: string, kind: DataKind, options: DataOptions): void {
  const known: readonly string[] = OPTIONS_OF[kind];
  const unused = Object.entries(options).find(
    ([key, value]) => value !== undefined && key !== 'otherwiseSplit' && !known.includes(key),
  );
  if (unused === undefined) return;
  throw new LossgraftError({
    code: 'unused-data-option',
    where: `${path}, option ${unused[0]}`,
    expected: `${KIND_NAMES[kind]}: options ${known.join(', ')}`,
    found: `the option ${unused[0]}, which such data do not have`,
    hint: 'Leave it out',
  });
}
