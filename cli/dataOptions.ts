import type { Argv, Options } from 'yargs';
import { type DataOptions, type Dataset, openData } from '../src/index.ts';
import { defined } from './defined.ts';
import { parseNames } from './graftOptions.ts';
import { UsageError } from './usage.ts';

/** The arguments that say how data are read. */
export interface DataArgs {
  split: 'train' | 'test' | undefined;
  classes: string | undefined;
  preprocess: string | undefined;
  resize: string | undefined;
  resample: NonNullable<DataOptions['resample']> | undefined;
  crop: string | undefined;
  channels: number | undefined;
  mean: string | undefined;
  std: string | undefined;
  'label-column': string | undefined;
  'feature-columns': string | undefined;
  'text-column': string | undefined;
  delimiter: string | undefined;
  'no-header': boolean | undefined;
  tokenizer: string | undefined;
  'max-length': number | undefined;
  'token-inputs': string | undefined;
}

/** What `--data` takes, for the help. */
export const DATA_FORMATS = `NumPy: an .npz with the names of the model’s inputs and labels as keys, or an .npy for a model with one input
MNIST: IDX files (.gz too), or their folder
Images or .txt files: a folder with a subfolder for each class
Tables: .csv, .tsv or .parquet`;

const GROUP = 'Options of the data:';
const text = (describe: string): Options => ({ type: 'string', requiresArg: true, describe, group: GROUP });
const number = (describe: string): Options => ({ type: 'number', requiresArg: true, describe, group: GROUP });

const FILTERS: readonly NonNullable<DataOptions['resample']>[] = [
  'nearest',
  'box',
  'bilinear',
  'hamming',
  'bicubic',
  'lanczos',
];

const OPTIONS = {
  split: {
    ...text('IDX folders: which part of --data (default train); --validation and --test take the test part'),
    choices: ['train', 'test'],
  },
  classes: text('Names: the classes in the order of their indices, a,b,c (default: sorted)'),
  preprocess: text('Images: a preprocessor_config.json of Hugging Face, instead of the next six'),
  resize: text('Images: 256, the shorter side, or 224x192, height and width'),
  resample: { ...text('Images: how they are resized, as Pillow does it (default bilinear)'), choices: FILTERS },
  crop: text('Images: the middle, 224 or 224x192'),
  channels: number('Images: 3, RGB (default), or 1, grey'),
  mean: text('Images, IDX: subtracted once bytes are 0…1: 0.5, or a number for each channel (default 0)'),
  std: text('Images, IDX: divided by then (default 1)'),
  'label-column': text('Tables: the column of labels (default: label or labels)'),
  'feature-columns': text('Tables: columns of numbers, a,b,c, or x=a,b;y=c for several inputs (default: all others)'),
  'text-column': text('Tables: the column of texts (default text)'),
  delimiter: text('CSV: what separates cells; tab for a tab (default a comma)'),
  'no-header': { type: 'boolean', describe: 'CSV: the first line names no columns', group: GROUP },
  tokenizer: text('Texts: a tokenizer.json'),
  'max-length': number('Texts: cut and padded to so many tokens'),
  'token-inputs': text('Texts: names of the model’s own, input_ids=ids,attention_mask=mask'),
} satisfies Record<string, Options>;

/** Declares {@link DataArgs}. */
export function dataOptions<T>(yargs: Argv<T>): Argv<T & DataArgs> {
  yargs.options(OPTIONS);
  return yargs as Argv<T & DataArgs>;
}

/** What {@link DataArgs} say, as the library takes it. */
export function givenData(args: DataArgs): DataOptions {
  const tokens = args['token-inputs'];
  const { split, classes, preprocess, resize, resample, crop, channels, mean, std, delimiter, tokenizer } = args;
  return defined({
    split,
    preprocess,
    resize,
    resample,
    crop,
    channels,
    header: args['no-header'] === true ? false : undefined,
    tokenizer,
    classes: classes?.split(','),
    mean: mean === undefined ? undefined : numbers('mean', mean),
    std: std === undefined ? undefined : numbers('std', std),
    labelColumn: args['label-column'],
    featureColumns: args['feature-columns'] === undefined ? undefined : parseColumns(args['feature-columns']),
    textColumn: args['text-column'],
    delimiter: delimiter === 'tab' ? '\t' : delimiter,
    maxLength: args['max-length'],
    tokenInputs: tokens === undefined ? undefined : parseNames('token-inputs', tokens),
  });
}

/**
 * Opens further data, such as those for a test, as the first were opened: with the same classes, whichever of them occur. Of an IDX
 * folder it is the test part.
 */
export function openFurther(path: string, args: DataArgs, first: Dataset): Promise<Dataset> {
  const { split: _split, ...options } = givenData(args);
  return openData(path, {
    ...options,
    otherwiseSplit: 'test',
    ...defined({ classes: options.classes ?? first.classNames }),
  });
}

function numbers(option: string, given: string): number[] {
  const values = given.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new UsageError(`--${option} expects numbers separated by commas, and found "${given}"`);
}

/** `a,b` or `x=a,b;y=c` */
function parseColumns(given: string): readonly string[] | Record<string, readonly string[]> {
  if (!given.includes('=')) return given.split(',');
  const pairs = given.split(';').map((part) => {
    const at = part.indexOf('=');
    if (at > 0) return [part.slice(0, at).trim(), part.slice(at + 1).split(',')] as const;
    throw new UsageError(`--feature-columns expects INPUT=COLUMN,…;…, and found "${part}"`);
  });
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`--feature-columns names ${twice} twice`);
  return Object.fromEntries(pairs);
}
