/** ONNX TensorProto.DataType numbers by name, complete up to IR 14. */
export const DATA_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
  float8e8m0: 24,
  uint2: 25,
  int2: 26,
} as const;

export type DataType = keyof typeof DATA_TYPES;

const FLOATS: ReadonlySet<DataType | undefined> = new Set(['float32', 'float64', 'float16', 'bfloat16']);

/** Whether elements of that type are floating-point numbers that are computed with: no 8-bit ones. */
export function isFloat(dtype: DataType | undefined): boolean {
  return FLOATS.has(dtype);
}

/** A float type that is trained as float32: float16, bfloat16 and float64. */
export function isOtherFloat(dtype: DataType | undefined): dtype is 'float16' | 'bfloat16' | 'float64' {
  return dtype === 'float16' || dtype === 'bfloat16' || dtype === 'float64';
}

/** Whether they are, or nothing is known of the type. */
export function mayBeFloat(dtype: DataType | undefined): boolean {
  return dtype === undefined || FLOATS.has(dtype);
}

/**
 * The storage of a tensor's elements. float16 and bfloat16 are bit patterns in a Uint16Array; bool and the 8-bit floats are
 * bytes; complex numbers are (real, imaginary) pairs; 4- and 2-bit types are packed bytes as ONNX packs them.
 */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[];

/** A dense tensor in memory, row-major. */
export interface Tensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** One dimension: a known size, a symbolic name, or `undefined` where nothing is known. */
export type Dim = number | string | undefined;

/** `undefined` means that not even the rank is known. */
export type Shape = readonly Dim[] | undefined;

/** The product of `dims`. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((n, d) => n * d, 1);
}

/** Is it an array of strings? */
export function isText(data: TensorData): data is readonly string[] {
  return Array.isArray(data);
}
