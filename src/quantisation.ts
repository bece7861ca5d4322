import type { DataType, Tensor } from './tensor.ts';

/** How a tensor is quantised: q = round(x / scale) + zero point, cut to the type's range; one scale, or one for each channel of `axis`. */
export interface Quantisation {
  /** float32, of rank 0 or 1. */
  readonly scale: Tensor;
  readonly zeroPoint: Tensor | undefined;
  readonly axis: number;
}

const RANGES: Partial<Record<DataType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

/** The least and the largest number of an integer type that weights are quantised to. */
export function rangeOf(dtype: DataType | undefined): readonly [number, number] | undefined {
  return dtype && RANGES[dtype];
}

/** The channel of each element, in the order of the elements; 0 where one scale stands for all. */
export function channelOf(dims: readonly number[], axis: number, scales: number): (index: number) => number {
  if (scales <= 1) return () => 0;
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = dims.slice(at + 1).reduce((product, dim) => product * dim, 1);
  const length = dims[at] ?? 1;
  return (index) => Math.floor(index / inner) % length;
}

/** The numbers that quantised ones stand for, in float32. */
export function dequantise({ dims, data }: Tensor, { scale, zeroPoint, axis }: Quantisation): Tensor {
  const channel = channelOf(dims, axis, scale.data.length);
  const numbers = Float32Array.from({ length: data.length }, (_, i) => {
    const c = channel(i);
    return Math.fround(Number(data[i]) - Number(zeroPoint?.data[c] ?? 0)) * Number(scale.data[c]);
  });
  return { dtype: 'float32', dims, data: numbers };
}

/** Numbers as QuantizeLinear rounds them, ties to even; `undefined` for a type that has no range here. */
export function quantise({ dims, data }: Tensor, dtype: DataType, how: Quantisation): readonly number[] | undefined {
  const range = rangeOf(dtype);
  if (range === undefined) return undefined;
  const [low, high] = range;
  const { scale, zeroPoint, axis } = how;
  const channel = channelOf(dims, axis, scale.data.length);
  return Array.from({ length: data.length }, (_, i) => {
    const c = channel(i);
    const steps = Math.fround(Number(data[i]) / Number(scale.data[c]));
    return Math.min(high, Math.max(low, toEven(steps) + Number(zeroPoint?.data[c] ?? 0)));
  });
}

function toEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
