import { statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { classNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { checkOptions } from '../options/check.ts';
import { alignLabels } from './alignLabels.ts';
import { readsTexts, withModelFiles } from './besideModel.ts';
import { dataFiles } from './dataFiles.ts';
import { type Dataset, disposable, type OpenedData } from './dataset.ts';
import { folderKind, visibleNames } from './folder.ts';
import { tableInFolder } from './folderTable.ts';
import { holdsIdx, openIdx } from './idx/idx.ts';
import { isIdxName } from './idx/idxFile.ts';
import { indexTexts, withLabels } from './labelsFile.ts';
import { readMultiLabel } from './multiLabels.ts';
import { openArrays } from './numpy/arrays.ts';
import { type DataKind, type DataOptions, dataRows, refuseUnused } from './options.ts';
import { holdsShards } from './shards/readIndex.ts';
import { readFeatures } from './tables/featureTable.ts';
import { expectedBy } from './tables/fromModel.ts';
import { joinTables } from './tables/joinTables.ts';
import { readNumbers } from './tables/numberTable.ts';
import type { Table } from './tables/table.ts';

/**
 * Opens samples. The path decides how they are read:
 * - an .npz whose keys are the model's input names and `labels`, or an .npy for a model with one input
 * - IDX files (.gz too), or a folder of them, like MNIST
 * - a folder with a subfolder of images, or of .txt files, for each class
 * - a folder of images with a table of their labels, where samples may have several (`labelColumns`, `labelSeparator`, or Roboflow's
 *   `_classes.csv`)
 * - a folder of shards, which `shard` wrote from any of them
 * - a .csv, .tsv or .parquet table of numbers, of image paths, or of texts if a tokenizer is given; several files as `a.csv,b.csv` or
 *   `part-*.csv`
 *
 * @throws LossgraftError if a file is damaged, too large or of the wrong kind, naming file and row; if labels are missing or occur
 * twice; and for options that such data do not have.
 */
export async function openData(path: string, given: DataOptions = {}): Promise<OpenedData> {
  checkOptions(dataRows, given);
  refuseTwins(given);
  given.signal?.throwIfAborted();
  try {
    const inside = tableInFolder(path, given);
    if (inside) return await openData(inside.path, inside.isRoboflow ? await roboflow(inside.path, given) : given);
    const kind = await kindOf(path, given);
    refuseUnused(path, kind, given);
    const { options, notes } = withModelFiles(kind, given);
    const read = await READERS[kind](path, options);
    const files = dataFiles(path);
    const several = files.length > 1 ? [`${path}: ${files.length} files, ${files[0]} to ${files.at(-1)}`] : [];
    const data = { ...read, notes: [...several, ...(read.notes ?? []), ...notes] };
    const labelled = options.labels === undefined || kind === 'idx' ? data : await withLabels(data, options.labels);
    const { signal: _, ...asked } = given;
    return disposable({ ...(await named(labelled, options)), source: { path, options: asked } });
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? unreadable(path, cause) : cause;
  }
}

/** The first column names the images; every other column is a label. */
async function roboflow(path: string, given: DataOptions): Promise<DataOptions> {
  if (given.labelColumns !== undefined || given.labelSeparator !== undefined) return given;
  const table = await openTable(path, given);
  const [imageColumn = '', ...labelColumns] = table.columns;
  table.close();
  return { imageColumn, ...given, labelColumns };
}

/** Turns text labels into classes, in the order of `classes` if given. Closes `data` if it refuses them. */
async function named(data: Dataset, { classes, unlabelled }: DataOptions): Promise<Dataset> {
  if (unlabelled) return classes === undefined ? data : { ...data, classNames: classes, labelsFrom: 'option' };
  try {
    const indexed = await indexTexts(data, classes !== undefined);
    if (classes === undefined) return indexed;
    const names = classNames(classes, option('classes'), true);
    return { ...(await alignLabels(indexed, { names })), classNames: classes, labelsFrom: 'option' };
  } catch (error) {
    data.close();
    throw error;
  }
}

function refuseTwins({ classes = [] }: DataOptions): void {
  const twin = classes.find((name, i) => classes.indexOf(name) !== i);
  if (twin === undefined) return;
  throw new LossgraftError({
    code: 'duplicate-class',
    where: 'option classes',
    expected: 'each class once',
    found: `${JSON.stringify(twin)} more than once`,
    hint: 'Name the classes in the order of their indices',
  });
}

/** The operating system's error for a file or folder. */
function unreadable(path: string, cause: Error): LossgraftError {
  return new LossgraftError({
    code: 'open-failed',
    where: 'path' in cause ? String(cause.path) : path,
    expected: 'data that can be read',
    found: cause.message,
    hint: 'Check the path and its permissions',
    cause,
  });
}

type Reader = (path: string, options: DataOptions) => Promise<Dataset>;

/** Readers that need a library of their own are loaded on demand. */
const READERS: Readonly<Record<DataKind, Reader>> = {
  arrays: openArrays,
  idx: openIdx,
  images: async (path, options) => (await import('./images/imageFolder.ts')).openImageFolder(path, options),
  texts: async (path, options) => (await import('./texts/texts.ts')).openTextFolder(path, options),
  csv: async (path, options) => readMultiLabel(await openCsv(path, options), options, readTable),
  parquet: async (path, options) => readMultiLabel(await openParquet(path), options, readTable),
  csvImages: async (path, options) => readMultiLabel(await openCsv(path, options), options, readImages),
  parquetImages: async (path, options) => readMultiLabel(await openParquet(path), options, readImages),
  csvTexts: async (path, options) => readMultiLabel(await openCsv(path, options), options, readTexts),
  parquetTexts: async (path, options) => readMultiLabel(await openParquet(path), options, readTexts),
  shards: async (path, options) => (await import('./shards/open.ts')).openShards(path, options),
};

/** One table for the model's one input, or for inputs named like its columns; or columns assigned to inputs by an option. */
async function readTable(table: Table, options: DataOptions): Promise<Dataset> {
  const { featureColumns } = options;
  if (featureColumns !== undefined && !Array.isArray(featureColumns)) return readNumbers(table, options);
  return readFeatures(table, options, expectedBy(options.model));
}

async function readImages(table: Table, options: DataOptions): Promise<Dataset> {
  const { openImageTable } = await import('./images/imageTable.ts');
  const column = options.imageColumn ?? (await pathColumn(table.name, options)) ?? '';
  return openImageTable(table, column, options);
}

/** The column of image paths, found from the first row. */
async function pathColumn(path: string, options: DataOptions): Promise<string | undefined> {
  const table = await openTable(path, options);
  try {
    return await (await import('./images/imagePaths.ts')).findPaths(table);
  } finally {
    table.close();
  }
}

/** Whether a table has paths of images. */
async function holdsPaths(path: string, options: DataOptions): Promise<boolean> {
  if (options.imageColumn !== undefined) return true;
  if (options.featureColumns !== undefined || options.header === false) return false;
  return (await pathColumn(path, options)) !== undefined;
}

async function openTable(path: string, options: DataOptions): Promise<Table> {
  return extname(path).toLowerCase() === '.parquet' ? openParquet(path) : openCsv(path, options);
}

async function openCsv(path: string, options: DataOptions): Promise<Table> {
  const { openCsv } = await import('./tables/csv.ts');
  return joinTables(path, dataFiles(path), (file) => openCsv(file, options));
}

async function openParquet(path: string): Promise<Table> {
  const { openParquet } = await import('./parquet/open.ts');
  return joinTables(path, dataFiles(path), openParquet);
}

async function readTexts(table: Table, options: DataOptions): Promise<Dataset> {
  return (await import('./texts/texts.ts')).readTexts(table, options);
}

async function kindOf(given: string, options: DataOptions): Promise<DataKind> {
  const [path = given, ...others] = dataFiles(given);
  const kind = await kindOfOne(path, options);
  if (others.length === 0 || /^(csv|parquet)/.test(kind)) return kind;
  throw new LossgraftError({
    code: 'data-files',
    where: given,
    expected: 'several files of a table, .csv, .tsv or .parquet',
    found: `${others.length + 1} files, the first ${path}`,
    hint: 'Join them, or pass one of them',
  });
}

async function kindOfOne(path: string, options: DataOptions): Promise<DataKind> {
  if (statSync(path).isDirectory()) {
    if (holdsShards(path)) return 'shards';
    return holdsIdx(visibleNames(path)) ? 'idx' : folderKind(path, options);
  }
  if (isIdxName(basename(path))) return 'idx';
  const isText = options.tokenizer !== undefined || options.textColumn !== undefined || readsTexts(options);
  switch (extname(path).toLowerCase()) {
    case '.npz':
    case '.npy':
      return 'arrays';
    case '.csv':
    case '.tsv':
      return isText ? 'csvTexts' : (await holdsPaths(path, options)) ? 'csvImages' : 'csv';
    case '.parquet':
      return isText ? 'parquetTexts' : (await holdsPaths(path, options)) ? 'parquetImages' : 'parquet';
    default:
      throw unknownFormat(path);
  }
}

function unknownFormat(path: string): LossgraftError {
  return new LossgraftError({
    code: 'unknown-data-format',
    where: path,
    expected: 'a file ending in .npz, .npy, .csv, .tsv, .parquet or -ubyte (.gz), or a folder',
    found: extname(path) || 'no extension',
    hint: 'Save the data with numpy.savez (keys: the inputs of the model, and labels) or numpy.save',
  });
}
