import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LossgraftError, option } from '../../errors.ts';
import { elementCount } from '../../tensor.ts';
import { type ByteRows, type Column, type Dataset, LABELS } from '../dataset.ts';
import { visibleNames } from '../folder.ts';
import { openLabels } from '../labelsFile.ts';
import { noRows } from '../noRows.ts';
import { byteScale, scaleBytes } from '../normalize.ts';
import type { DataOptions } from '../options.ts';
import { type IdxFile, openIdxFile } from './idxFile.ts';

/**
 * Opens images in MNIST's format: `train-images-idx3-ubyte` with `train-labels-idx1-ubyte` beside it, .gz or not. Images [N, H, W] become
 * float32 [N, 1, H, W]: scaled to 0…1, minus the mean, divided by the standard deviation.
 *
 * @param path the file of images, or the folder; `split` chooses among several in a folder.
 * @throws LossgraftError if a file is missing, damaged or too large, or the two do not belong together.
 */
export async function openIdx(path: string, options: DataOptions): Promise<Dataset> {
  const { images: imagesPath, notes } = chooseImages(path, options);
  const images = await openIdxFile(imagesPath);
  try {
    const column = imageColumn(imagesPath, images, options);
    if (options.unlabelled) {
      const note = `images from ${imagesPath}: ${images.dims[0]} samples`;
      return { name: imagesPath, columns: new Map(), unnamed: column, notes: [...notes, note], close: images.close };
    }
    const labelsPath = options.labels ?? labelsBeside(imagesPath);
    const labels = await openLabels(labelsPath);
    const [size, count] = [images.dims[0], labels.column.dims[0]];
    if (size !== count) {
      labels.close();
      throw refused(
        imagesPath,
        `as many labels as images: ${size}`,
        `${count} in ${labelsPath}`,
        'The two files do not belong together',
      );
    }
    return {
      name: imagesPath,
      columns: new Map([[LABELS, labels.column]]),
      unnamed: column,
      notes: [...notes, `images from ${imagesPath}, labels from ${labelsPath}: ${size} samples`],
      close: () => {
        images.close();
        labels.close();
      },
    };
  } catch (error) {
    images.close();
    throw error;
  }
}

function imageColumn(path: string, images: IdxFile, { mean = [0], std = [1] }: DataOptions): Column {
  const [rows = 0, ...size] = images.dims;
  if (rows === 0) throw noRows(path);
  if (size.length !== 2 || elementCount(size) === 0) {
    throw refused(path, 'images, [N, height, width]', `[${images.dims.join(', ')}]`, 'Pass the file of images (idx3)');
  }
  const scale = byteScale(1, { mean, std });
  const bytes: ByteRows = {
    tables: scale.tables,
    read: async (start, count) => ({ ...(await images.readRows(start, count)), dims: [count, 1, ...size] }),
  };
  return {
    dtype: 'float32',
    dims: [rows, 1, ...size],
    black: scale.black,
    white: scale.white,
    read: async (start, count) => scaleBytes(await bytes.read(start, count), scale.tables),
    bytes,
  };
}

/** `train-images-idx3-ubyte`, `t10k-images.idx3-ubyte.gz`, `emnist-letters-test-images-idx3-ubyte` */
const IMAGES = /images([-.])idx3-ubyte(\.gz)?$/i;

const SPLITS = { train: /train/i, test: /test|t10k/i } as const;

/** Is it a folder with IDX images? */
export function holdsIdx(names: readonly string[]): boolean {
  return names.some((name) => IMAGES.test(name));
}

function chooseImages(
  path: string,
  { split, otherwiseSplit = 'train' }: DataOptions,
): { images: string; notes: readonly string[] } {
  if (!statSync(path).isDirectory()) {
    if (!IMAGES.test(path))
      throw refused(
        path,
        'a file of images, …images-idx3-ubyte',
        basename(path),
        'Pass the images; lossgraft finds the labels beside them',
      );
    if (split !== undefined)
      throw refused(path, 'a folder, because split was given', 'a file', 'Omit the option split');
    return { images: path, notes: [] };
  }
  const all = visibleNames(path).filter((name) => IMAGES.test(name));
  const asked = split ?? otherwiseSplit;
  const found = all.length === 1 && split === undefined ? all : all.filter((name) => SPLITS[asked].test(name));
  const [images] = found;
  if (images === undefined || found.length > 1) {
    throw refused(path, `one file of ${asked} images`, all.join(', ') || 'none', 'Pass the file of images itself');
  }
  const others = all.filter((name) => name !== images);
  const note = `${images} of ${path}${others.length > 0 ? `; there are also ${others.join(', ')}` : ''}`;
  return { images: join(path, images), notes: split === undefined ? [note] : [] };
}

function labelsBeside(images: string): string {
  const stem = basename(images).replace(/\.gz$/i, '');
  const wanted = stem.replace(/images([-.])idx3/i, (_all, dash: string) => `labels${dash}idx1`);
  const folder = dirname(images);
  const found = [wanted, `${wanted}.gz`].find((name) =>
    statSync(join(folder, name), { throwIfNoEntry: false })?.isFile(),
  );
  if (found !== undefined) return join(folder, found);
  throw refused(
    folder,
    `labels beside ${basename(images)}: ${wanted} or ${wanted}.gz`,
    'neither',
    `Name them with ${option('labels')}`,
  );
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'idx-files', where, expected, found, hint });
}
