import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { breather } from '../../breather.ts';
import { LossgraftError, option } from '../../errors.ts';
import { openFile } from '../../files/source.ts';
import { type Column, type Dataset, LABELS } from '../dataset.ts';
import { describeFiles, folderLabels, listClasses, listSamples, type SampleFolder } from '../folder.ts';
import { limiter } from '../limiter.ts';
import { MAX_IMAGE_BYTES } from '../limits.ts';
import type { DataOptions } from '../options.ts';
import { decodeImage, isImage } from './image.ts';
import { outputSize, type Preprocess, shapePixels, writeBytes, writePlanes } from './preprocess.ts';
import { preprocessOf } from './preprocessOptions.ts';
import type { Pixels, Size } from './resample.ts';

/**
 * Opens images in one subfolder per class: float32 [N, channels, height, width] and labels, with classes in the sorted order of their
 * names. An image is read and decoded when its row is requested.
 *
 * @throws LossgraftError for classes without images, files that are not images, and later, for damaged ones, by name.
 */
export async function openImageFolder(path: string, options: DataOptions): Promise<Dataset> {
  const preprocess = preprocessOf(options);
  const folder = options.unlabelled ? listSamples(path, 'images') : listClasses(path, 'images');
  const breathe = breather(options.signal);
  for (const file of folder.files) {
    await breathe();
    refuseNoImage(join(path, file));
  }
  const pixelsOf = (row: number): Promise<Pixels> => readPixels(join(path, folder.files[row] ?? ''), preprocess);
  const size = outputSize(preprocess) ?? (await pixelsOf(0));
  const { column, ...labels } = folderLabels(path, folder);
  return {
    name: path,
    columns: new Map(column === undefined ? [] : [[LABELS, column]]),
    unnamed: imageColumn(folder, size, preprocess, pixelsOf),
    ...labels,
    describeRow: (row) => folder.files[row] ?? '',
    notes: [`${path}: ${describeFiles(folder, 'images')}`, ...folder.notes],
    close() {},
  };
}

/** Decoding runs on the library's own threads; more at once would only take memory. */
const decoding = limiter(Math.min(4, availableParallelism()));

/** Images as a column: float32 [N, channels, height, width], and the bytes behind it. */
export function imageColumn(
  { files }: Pick<SampleFolder, 'files'>,
  { height, width }: Size,
  { channels, scale }: Preprocess,
  pixelsOf: (row: number) => Promise<Pixels>,
): Column {
  const dims = [channels, height, width];
  const one = channels * height * width;
  const eachImage = async (start: number, count: number, put: (pixels: Pixels, at: number) => void): Promise<void> => {
    if (start < 0 || count < 0 || start + count > files.length) throw outside(files.length, start, count);
    const work = Array.from({ length: count }, (_, i) =>
      decoding(async () => {
        const pixels = await pixelsOf(start + i);
        if (pixels.height !== height || pixels.width !== width)
          throw otherSize(files[start + i] ?? '', pixels, { height, width });
        put(pixels, i * one);
      }),
    );
    await allOrFirstError(work);
  };
  return {
    dtype: 'float32',
    dims: [files.length, ...dims],
    isFresh: true,
    black: scale.black,
    white: scale.white,
    read: async (start, count) => {
      const data = new Float32Array(count * one);
      await eachImage(start, count, (pixels, at) => writePlanes(pixels, scale, data, at));
      return { dtype: 'float32', dims: [count, ...dims], data };
    },
    bytes: {
      tables: scale.tables,
      read: async (start, count) => {
        const data = new Uint8Array(count * one);
        await eachImage(start, count, (pixels, at) => writeBytes(pixels, data, at));
        return { dtype: 'uint8', dims: [count, ...dims], data };
      },
    },
  };
}

/** Waits for all, so that nothing keeps running after an error. */
async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

export async function readPixels(path: string, preprocess: Preprocess): Promise<Pixels> {
  const file = openFile(path);
  try {
    if (file.size > MAX_IMAGE_BYTES) throw tooLarge(path, file.size);
    const bytes = new Uint8Array(file.size);
    file.readInto(bytes, 0);
    return shapePixels(await decodeImage(bytes, preprocess.channels, path), preprocess, path);
  } finally {
    file.close();
  }
}

/** The first bytes reveal most files that are not images before the work begins. */
export function refuseNoImage(path: string): void {
  const file = openFile(path);
  try {
    const start = Uint8Array.from(file.read(0, Math.min(file.size, 16)));
    if (isImage(start)) return;
    throw new LossgraftError({
      code: 'image-format',
      where: path,
      expected: 'JPEG, PNG, GIF, WebP or TIFF',
      found: file.size === 0 ? 'an empty file' : 'other bytes',
      hint: 'Convert or remove the image',
    });
  } finally {
    file.close();
  }
}

function otherSize(where: string, found: Size, expected: Size): LossgraftError {
  return new LossgraftError({
    code: 'image-size',
    where,
    expected: `${expected.height} × ${expected.width} pixels, as the first image has (height × width)`,
    found: `${found.height} × ${found.width}`,
    hint: `Bring all to one size with ${option('resize')}, or with ${option('resize')} and ${option('crop')}`,
  });
}

function tooLarge(where: string, size: number): LossgraftError {
  return new LossgraftError({
    code: 'image-too-large',
    where,
    expected: `at most ${MAX_IMAGE_BYTES} bytes`,
    found: `${size}`,
    hint: 'Make it smaller first',
  });
}

function outside(files: number, start: number, count: number): LossgraftError {
  return new LossgraftError({
    code: 'rows-out-of-range',
    where: 'images',
    expected: `rows among 0…${files - 1}`,
    found: `${count} rows from ${start} on`,
    hint: 'Read within the folder',
  });
}
