import type { ResampleFilter } from '../options.ts';

/** Bytes of an image, channels together: height × width × channels. */
export interface Pixels {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

export interface Size {
  readonly height: number;
  readonly width: number;
}

/**
 * Resizes as Pillow's `Image.resize` does, byte for byte: filters are widened by the scale when an image shrinks, coefficients have
 * 22-bit fixed point, and values are rounded to bytes between the two passes. Pillow 13 begins with the rows if that saves most; older
 * versions never do, and may differ by one level.
 */
export function resample(image: Pixels, size: Size, filter: ResampleFilter): Pixels {
  if (image.height === size.height && image.width === size.width) return image;
  if (filter === 'nearest') return nearest(image, size);
  const { height, width } = size;
  const kernel = FILTERS[filter];
  const rowsFirst = height < image.height && 2 * (image.width - width) < image.height - height;
  return rowsFirst
    ? resampleColumns(resampleRows(image, height, kernel), width, kernel)
    : resampleRows(resampleColumns(image, width, kernel), height, kernel);
}

interface Filter {
  /** Its radius in pixels. */
  readonly support: number;
  weight(x: number): number;
}

const FILTERS: Readonly<Record<Exclude<ResampleFilter, 'nearest'>, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))) },
  bicubic: { support: 2, weight: (x) => cubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Keys' kernel with a = −0.5. */
function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Where each output position begins to read, and its weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `stride` for each output position. */
  readonly weights: Int32Array;
  readonly stride: number;
}

const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

function taps(from: number, to: number, { support, weight }: Filter): Taps {
  const scale = from / to;
  const widened = Math.max(scale, 1);
  const reach = support * widened;
  const stride = Math.ceil(reach) * 2 + 1;
  const [first, count] = [new Int32Array(to), new Int32Array(to)];
  const weights = new Int32Array(to * stride);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - start }, (_, k) => weight((k + start - centre + 0.5) * (1 / widened)));
    const sum = raw.reduce((total, value) => total + value, 0);
    first[i] = start;
    count[i] = end - start;
    for (const [k, value] of raw.entries()) weights[i * stride + k] = fixed(sum === 0 ? value : value / sum);
  }
  return { first, count, weights, stride };
}

/** Halves away from zero. */
function fixed(value: number): number {
  return Math.trunc(value * (1 << PRECISION) + (value < 0 ? -0.5 : 0.5));
}

function toByte(sum: number): number {
  return Math.min(255, Math.max(0, sum >> PRECISION));
}

function resampleColumns(image: Pixels, width: number, filter: Filter): Pixels {
  if (image.width === width) return image;
  const { height, channels, data } = image;
  const { first, count, weights, stride } = taps(image.width, width, filter);
  const out = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * image.width + (first[x] ?? 0)) * channels;
      const n = count[x] ?? 0;
      for (let c = 0; c < channels; c++) {
        let sum = HALF;
        for (let k = 0; k < n; k++) sum += (data[from + k * channels + c] ?? 0) * (weights[x * stride + k] ?? 0);
        out[(y * width + x) * channels + c] = toByte(sum);
      }
    }
  }
  return { height, width, channels, data: out };
}

function resampleRows(image: Pixels, height: number, filter: Filter): Pixels {
  if (image.height === height) return image;
  const { width, channels, data } = image;
  const { first, count, weights, stride } = taps(image.height, height, filter);
  const line = width * channels;
  const out = new Uint8Array(height * line);
  for (let y = 0; y < height; y++) {
    const from = (first[y] ?? 0) * line;
    const n = count[y] ?? 0;
    for (let x = 0; x < line; x++) {
      let sum = HALF;
      for (let k = 0; k < n; k++) sum += (data[from + k * line + x] ?? 0) * (weights[y * stride + k] ?? 0);
      out[y * line + x] = toByte(sum);
    }
  }
  return { height, width, channels, data: out };
}

function nearest(image: Pixels, { height, width }: Size): Pixels {
  const { channels, data } = image;
  const [rows, columns] = [nearestIndices(image.height, height), nearestIndices(image.width, width)];
  const out = new Uint8Array(height * width * channels);
  let at = 0;
  for (const y of rows) {
    for (const x of columns) {
      const from = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) out[at++] = data[from + c] ?? 0;
    }
  }
  return { height, width, channels, data: out };
}

/** Positions are summed up as in Pillow: a product would differ in the last place, and so by a pixel. */
function nearestIndices(from: number, to: number): Int32Array {
  const step = from / to;
  let position = step * 0.5;
  return Int32Array.from({ length: to }, () => {
    const index = Math.min(from - 1, Math.trunc(position));
    position += step;
    return index;
  });
}
