import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import { type DataType, elementCount, type Tensor, type TensorData } from '../tensor.ts';

type NumericData = Exclude<TensorData, readonly string[]>;

/** How a data type's elements lie in memory: array class, array items per element, and the TensorProto field of its own. */
interface Storage {
  readonly array: {
    new (buffer: ArrayBuffer): NumericData;
    readonly name: string;
    readonly BYTES_PER_ELEMENT: number;
  };
  readonly itemsPerElement: number;
  /** Field number of the typed data: float_data 4, int32_data 5, int64_data 7, double_data 10, uint64_data 11. */
  readonly field: number;
}

const bytes: Storage = { array: Uint8Array, itemsPerElement: 1, field: 5 };
const nibbles: Storage = { array: Uint8Array, itemsPerElement: 1 / 2, field: 5 };
const crumbs: Storage = { array: Uint8Array, itemsPerElement: 1 / 4, field: 5 };

const STORAGES: Readonly<Record<Exclude<DataType, 'string'>, Storage>> = {
  float32: { array: Float32Array, itemsPerElement: 1, field: 4 },
  uint8: bytes,
  int8: { array: Int8Array, itemsPerElement: 1, field: 5 },
  uint16: { array: Uint16Array, itemsPerElement: 1, field: 5 },
  int16: { array: Int16Array, itemsPerElement: 1, field: 5 },
  int32: { array: Int32Array, itemsPerElement: 1, field: 5 },
  int64: { array: BigInt64Array, itemsPerElement: 1, field: 7 },
  bool: bytes,
  float16: { array: Uint16Array, itemsPerElement: 1, field: 5 },
  float64: { array: Float64Array, itemsPerElement: 1, field: 10 },
  uint32: { array: Uint32Array, itemsPerElement: 1, field: 11 },
  uint64: { array: BigUint64Array, itemsPerElement: 1, field: 11 },
  complex64: { array: Float32Array, itemsPerElement: 2, field: 4 },
  complex128: { array: Float64Array, itemsPerElement: 2, field: 10 },
  bfloat16: { array: Uint16Array, itemsPerElement: 1, field: 5 },
  float8e4m3fn: bytes,
  float8e4m3fnuz: bytes,
  float8e5m2: bytes,
  float8e5m2fnuz: bytes,
  uint4: nibbles,
  int4: nibbles,
  float4e2m1: nibbles,
  float8e8m0: bytes,
  uint2: crumbs,
  int2: crumbs,
};

export function storageOf(dtype: Exclude<DataType, 'string'>): Storage {
  return STORAGES[dtype];
}

/** Items of the typed array that hold `dims` elements. */
export function itemCount(dtype: Exclude<DataType, 'string'>, dims: readonly number[]): number {
  return Math.ceil(elementCount(dims) * STORAGES[dtype].itemsPerElement);
}

/** A zeroed array with its own buffer. */
export function allocate(dtype: Exclude<DataType, 'string'>, items: number): NumericData {
  const { array: ArrayClass } = STORAGES[dtype];
  return new ArrayClass(new ArrayBuffer(items * ArrayClass.BYTES_PER_ELEMENT));
}

/** The same memory as bytes. */
export function bytesOf(data: NumericData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Errors `tensor-storage`, `tensor-size`: the array's class and length must be those of dtype and dims. */
export function checkTensor(tensor: Tensor, where: string): void {
  const { dtype, dims, data } = tensor;
  const expectedClass = dtype === 'string' ? 'Array' : STORAGES[dtype].array.name;
  const foundClass = Array.isArray(data) ? 'Array' : data.constructor.name;
  if (!(foundClass === expectedClass || (foundClass === 'Buffer' && expectedClass === 'Uint8Array'))) {
    throw mismatch('tensor-storage', where, `${dtype} elements in a ${expectedClass}`, `a ${foundClass}`);
  }
  const items = dtype === 'string' ? elementCount(dims) : itemCount(dtype, dims);
  if (data.length !== items) {
    const expected = `${items} items for ${dtype}[${dims.join(', ')}]`;
    throw mismatch('tensor-size', where, expected, `${data.length}`);
  }
}

function mismatch(code: ErrorCode, where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint: 'Make data, dtype and dims consistent' });
}
