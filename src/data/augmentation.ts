import { LossgraftError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { random } from './random.ts';

/** Random changes of images. */
export interface Augmentation {
  /** Pads every side by this many black pixels and crops the image's own size at a random place. Default 0. */
  readonly padding?: number;
  /** Mirrors half of the images left to right. */
  readonly flip?: boolean;
}

/** Draws depend on this alone: not on batches, nor on earlier draws. */
export interface DrawKeys {
  readonly seed: number;
  readonly epoch: number;
  /** Each image's row in the data. */
  readonly rows: ArrayLike<number>;
}

/** What happens to one image. */
export interface Draw {
  /** The crop's corner in the padded image: 0 to 2·padding. */
  readonly top: number;
  readonly left: number;
  readonly flipped: boolean;
}

/** Draws the augmentation of the image of `row` in `epoch`. */
export function drawAugmentation(options: Augmentation, seed: number, epoch: number, row: number): Draw {
  const { padding = 0, flip = false } = options;
  const { below } = random(seed, epoch, row);
  const top = below(2 * padding + 1);
  const left = below(2 * padding + 1);
  return { top, left, flipped: below(2) === 1 && flip };
}

/**
 * Crops and flips a batch of images, each by its own draw.
 *
 * @param images float32 [N, C, H, W]
 * @param black the value of a black pixel, by channel: after normalisation it is not 0.
 * @throws LossgraftError `augment-images` for other tensors, or a padding that is not a whole number of at least 0.
 */
export function augmentImages(
  images: Tensor,
  options: Augmentation,
  { seed, epoch, rows }: DrawKeys,
  black: readonly number[] = [],
): Tensor {
  const { dims, data } = images;
  const [count = 0, channels = 0, height = 0, width = 0] = dims;
  if (!(data instanceof Float32Array) || dims.length !== 4 || rows.length !== count)
    throw notImages(images, rows.length);
  const { padding = 0 } = options;
  if (!Number.isSafeInteger(padding) || padding < 0) throw badPadding(padding);
  const out = new Float32Array(data.length);
  for (let n = 0; n < count; n++) {
    const draw = drawAugmentation(options, seed, epoch, rows[n] ?? 0);
    for (let c = 0; c < channels; c++) {
      const start = (n * channels + c) * height * width;
      const plane = { from: data.subarray(start), to: out.subarray(start), height, width, black: black[c] ?? 0 };
      movePlane(plane, draw, padding);
    }
  }
  return { dtype: 'float32', dims, data: out };
}

interface Plane {
  readonly from: Float32Array;
  readonly to: Float32Array;
  readonly height: number;
  readonly width: number;
  readonly black: number;
}

function movePlane({ from, to, height, width, black }: Plane, { top, left, flipped }: Draw, padding: number): void {
  for (let y = 0; y < height; y++) {
    const sourceY = y + top - padding;
    const isRow = sourceY >= 0 && sourceY < height;
    for (let x = 0; x < width; x++) {
      const sourceX = (flipped ? width - 1 - x : x) + left - padding;
      const isInside = isRow && sourceX >= 0 && sourceX < width;
      to[y * width + x] = isInside ? (from[sourceY * width + sourceX] ?? black) : black;
    }
  }
}

function notImages({ dtype, dims }: Tensor, rows: number): LossgraftError {
  return new LossgraftError({
    code: 'augment-images',
    where: 'augmentation',
    expected: `images, float32[${rows}, C, H, W]`,
    found: `${dtype}[${dims.join(', ')}]`,
    hint: 'Random crops and flips are for images; omit them',
  });
}

function badPadding(padding: number): LossgraftError {
  return new LossgraftError({
    code: 'augment-images',
    where: 'option padding',
    expected: 'a whole number from 0 on',
    found: String(padding),
    hint: 'Correct it',
  });
}
