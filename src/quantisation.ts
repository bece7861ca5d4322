import { type DataType, elementCount, type Tensor, type TensorData } from './tensor.ts';

/** How a tensor is quantised: q = round(x / scale) + zero point, cut to the type's range; one scale, or one for each channel or block of `axis`. */
export interface Quantisation {
  /** float32: of rank 0 or 1, or with blocks of the tensor's rank. */
  readonly scale: Tensor;
  readonly zeroPoint: Tensor | undefined;
  readonly axis: number;
  /** How many elements along the axis share a scale; 0 where none do. */
  readonly block: number;
  /** The least and the largest integer, where the file cuts to less than the type's range. */
  readonly range?: readonly [number, number] | undefined;
}

interface IntegerType {
  readonly range: readonly [low: number, high: number];
  /** Several elements share a byte, the first in its lowest bits. */
  readonly bits?: number;
  readonly store: (integers: readonly number[]) => TensorData;
}

const packedType = (bits: number, low: number): IntegerType => ({
  range: [low, low + 2 ** bits - 1],
  bits,
  store: (integers) => packed(integers, bits),
});

const TYPES: Partial<Record<DataType, IntegerType>> = {
  int8: { range: [-128, 127], store: (integers) => Int8Array.from(integers) },
  uint8: { range: [0, 255], store: (integers) => Uint8Array.from(integers) },
  int16: { range: [-32768, 32767], store: (integers) => Int16Array.from(integers) },
  uint16: { range: [0, 65535], store: (integers) => Uint16Array.from(integers) },
  int32: { range: [-(2 ** 31), 2 ** 31 - 1], store: (integers) => Int32Array.from(integers) },
  int4: packedType(4, -8),
  uint4: packedType(4, 0),
};

/** The least and the largest number of an integer type that weights are quantised to. */
export function rangeOf(dtype: DataType | undefined): readonly [number, number] | undefined {
  return dtype && TYPES[dtype]?.range;
}

/** Which scale each element has, in the order of the elements. */
export function scaleAt(dims: readonly number[], { scale, axis, block }: Quantisation): (index: number) => number {
  if (scale.data.length <= 1) return () => 0;
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = elementCount(dims.slice(at + 1));
  const length = dims[at] ?? 1;
  if (block === 0) return (index) => Math.floor(index / inner) % length;
  const blocks = Math.ceil(length / block);
  return (index) => {
    const [row, along] = [Math.floor(index / (inner * length)), Math.floor(index / inner) % length];
    return (row * blocks + Math.floor(along / block)) * inner + (index % inner);
  };
}

/** The dequantised numbers, in float32. */
export function dequantise(tensor: Tensor, how: Quantisation): Tensor {
  const { dims } = tensor;
  const { scale } = how;
  const [integers, zeros] = [integersOf(tensor), how.zeroPoint && integersOf(how.zeroPoint)];
  const channel = scaleAt(dims, how);
  const numbers = Float32Array.from({ length: elementCount(dims) }, (_, i) => {
    const c = channel(i);
    return Math.fround(Number(integers[i]) - Number(zeros?.[c] ?? 0)) * Number(scale.data[c]);
  });
  return { dtype: 'float32', dims, data: numbers };
}

/** Numbers as QuantizeLinear rounds them, ties to even; `undefined` for an unsupported type. */
export function quantise({ dims, data }: Tensor, dtype: DataType, how: Quantisation): Tensor | undefined {
  const type = TYPES[dtype];
  if (type === undefined) return undefined;
  const [low, high] = how.range ?? type.range;
  const zeros = how.zeroPoint && integersOf(how.zeroPoint);
  const channel = scaleAt(dims, how);
  const integers = Array.from({ length: data.length }, (_, i) => {
    const c = channel(i);
    const steps = Math.fround(Number(data[i]) / Number(how.scale.data[c]));
    return Math.min(high, Math.max(low, toEven(steps) + Number(zeros?.[c] ?? 0)));
  });
  return { dtype, dims, data: type.store(integers) };
}

/** Integers, or zeros where there are none, in another type. */
export function integersAs(given: Tensor | undefined, dtype: DataType, dims: readonly number[]): Tensor | undefined {
  const integers = given ? Array.from(integersOf(given), Number) : new Array<number>(elementCount(dims)).fill(0);
  const data = TYPES[dtype]?.store(integers);
  return data && { dtype, dims: given?.dims ?? dims, data };
}

/** The numbers that lie `beyond` of a step outside a type's range, for each element: those below, and those above. */
export function boundsOf(
  dtype: DataType | undefined,
  dims: readonly number[],
  how: Quantisation,
  beyond: number,
): readonly [Float32Array, Float32Array] {
  const [low, high] = how.range ?? rangeOf(dtype) ?? [0, 0];
  const zeros = how.zeroPoint && integersOf(how.zeroPoint);
  const channel = scaleAt(dims, how);
  const bound = (steps: number): Float32Array =>
    Float32Array.from({ length: elementCount(dims) }, (_, i) => {
      const c = channel(i);
      return (steps - Number(zeros?.[c] ?? 0)) * Number(how.scale.data[c]);
    });
  return [bound(low - beyond), bound(high + beyond)];
}

/** Elements one by one: those of 4 bits are unpacked. */
export function integersOf({ dtype, dims, data }: Tensor): ArrayLike<number | bigint | string> {
  const bits = TYPES[dtype]?.bits;
  if (bits === undefined) return data;
  const perByte = 8 / bits;
  const [low] = TYPES[dtype]?.range ?? [0];
  return Array.from({ length: elementCount(dims) }, (_, i) => {
    const unsigned = (Number(data[Math.floor(i / perByte)]) >> (bits * (i % perByte))) & (2 ** bits - 1);
    return low < 0 && unsigned >= 2 ** (bits - 1) ? unsigned - 2 ** bits : unsigned;
  });
}

function packed(integers: readonly number[], bits: number): Uint8Array {
  const perByte = 8 / bits;
  const bytes = new Uint8Array(Math.ceil(integers.length / perByte));
  for (const [i, value] of integers.entries()) {
    const at = Math.floor(i / perByte);
    bytes[at] = (bytes[at] ?? 0) | ((value & (2 ** bits - 1)) << (bits * (i % perByte)));
  }
  return bytes;
}

function toEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
