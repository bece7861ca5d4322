import { LossgraftError, option } from '../../errors.ts';
import type { ByteScale } from '../normalize.ts';
import type { ResampleFilter } from '../options.ts';
import { type Pixels, resample, type Size } from './resample.ts';

/** The steps from a decoded image to what a model reads, in this order. */
export interface Preprocess {
  readonly channels: 1 | 3;
  /** A number is the length of the shorter side. */
  readonly resize: number | Size | undefined;
  readonly filter: ResampleFilter;
  readonly crop: Size | undefined;
  readonly scale: ByteScale;
}

/** The size of every image after preprocessing; `undefined` if it depends on the image. */
export function outputSize({ resize, crop }: Preprocess): Size | undefined {
  return crop ?? (typeof resize === 'object' ? resize : undefined);
}

/**
 * Resizes and crops. The shorter side becomes `resize`, the longer one is scaled alike and rounded down. A crop takes the middle; if the
 * margin is odd, the top and left get the smaller half.
 *
 * @throws LossgraftError `image-smaller-than-crop`
 */
export function shapePixels(image: Pixels, { resize, filter, crop }: Preprocess, where: string): Pixels {
  const resized = resize === undefined ? image : resample(image, targetSize(image, resize), filter);
  return crop === undefined ? resized : cropMiddle(resized, crop, where);
}

function targetSize({ height, width }: Size, resize: number | Size): Size {
  if (typeof resize === 'object') return resize;
  const long = Math.trunc((resize * Math.max(height, width)) / Math.min(height, width));
  return height <= width ? { height: resize, width: long } : { height: long, width: resize };
}

function cropMiddle(image: Pixels, { height, width }: Size, where: string): Pixels {
  if (height > image.height || width > image.width) {
    throw new LossgraftError({
      code: 'image-smaller-than-crop',
      where,
      expected: `at least ${height} × ${width} pixels to crop (height × width)`,
      found: `${image.height} × ${image.width}`,
      hint: `Resize first, for example with ${option('resize')}`,
    });
  }
  const { channels, data } = image;
  const [top, left] = [Math.trunc((image.height - height) / 2), Math.trunc((image.width - width) / 2)];
  const out = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    out.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { height, width, channels, data: out };
}

/** Writes an image into `out` at `offset`, channel by channel, scaled and normalised. */
export function writePlanes(
  { height, width, channels, data }: Pixels,
  { tables }: ByteScale,
  out: Float32Array,
  offset: number,
): void {
  const plane = height * width;
  for (let c = 0; c < channels; c++) {
    const table = tables[c];
    for (let i = 0; i < plane; i++) out[offset + c * plane + i] = table?.[data[i * channels + c] ?? 0] ?? 0;
  }
}

/** Writes an image into `out` at `offset`, channel by channel, as it is. */
export function writeBytes({ height, width, channels, data }: Pixels, out: Uint8Array, offset: number): void {
  const plane = height * width;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) out[offset + c * plane + i] = data[i * channels + c] ?? 0;
  }
}
