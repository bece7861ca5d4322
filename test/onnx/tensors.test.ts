import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LossgraftError } from '../../src/errors.ts';
import { decodeTensor, encodeTensor } from '../../src/onnx/index.ts';
import { DATA_TYPES, type DataType, elementCount, type Tensor, type TensorData } from '../../src/tensor.ts';
import { onnx } from './models.ts';

const SUBBYTE: Partial<Record<DataType, number>> = { uint4: 2, int4: 2, float4e2m1: 2, uint2: 4, int2: 4 };

function storage(dtype: DataType, bytes: Uint8Array): TensorData {
  const buffer = bytes.slice().buffer;
  switch (dtype) {
    case 'float32':
    case 'complex64':
      return new Float32Array(buffer);
    case 'float64':
    case 'complex128':
      return new Float64Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'uint32':
      return new Uint32Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'uint64':
      return new BigUint64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

const WIDTHS: Partial<Record<DataType, number>> = {
  float32: 4,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float64: 8,
  uint32: 4,
  uint64: 8,
  complex64: 8,
  complex128: 16,
  bfloat16: 2,
};

const dtypes = Object.keys(DATA_TYPES) as DataType[];

/** Any tensor: every data type, rank 0 to 4, empty ones and NaNs of any payload among them. */
const tensors: fc.Arbitrary<Tensor> = fc
  .record({ dtype: fc.constantFrom(...dtypes), dims: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }) })
  .chain(({ dtype, dims }): fc.Arbitrary<Tensor> => {
    const count = elementCount(dims);
    const exactly = (n: number) => ({ minLength: n, maxLength: n });
    if (dtype === 'string')
      return fc.array(fc.string({ unit: 'grapheme' }), exactly(count)).map((data) => ({ dtype, dims, data }));
    const bytes = Math.ceil((count * (WIDTHS[dtype] ?? 1)) / (SUBBYTE[dtype] ?? 1));
    return fc.uint8Array(exactly(bytes)).map((data) => ({ dtype, dims, data: storage(dtype, data) }));
  });

function bytesOf(data: TensorData): Uint8Array | readonly string[] {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
}

describe('encodeTensor and decodeTensor', () => {
  it('give back any tensor, bit for bit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), tensors, (name, tensor) => {
        const back = decodeTensor(encodeTensor(name, tensor));
        expect(back.name).toBe(name);
        expect({ ...back.tensor, data: bytesOf(back.tensor.data) }).toEqual({ ...tensor, data: bytesOf(tensor.data) });
        expect(back.tensor.data.constructor).toBe(tensor.data.constructor);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  it('cover every data type', () => {
    const seen = new Set(fc.sample(tensors, { numRuns: 2000, seed: 1 }).map(({ dtype }) => dtype));
    expect(seen.size).toBe(dtypes.length);
  });

  it('write what onnx-proto reads', () => {
    fc.assert(
      fc.property(tensors, (tensor) => {
        const read = onnx.TensorProto.decode(encodeTensor('t', tensor));
        expect(read.dataType).toBe(DATA_TYPES[tensor.dtype]);
        expect(read.dims?.map(Number)).toEqual(tensor.dims);
        const bytes = bytesOf(tensor.data);
        if (bytes instanceof Uint8Array) expect(Buffer.from(read.rawData ?? []).equals(bytes)).toBe(true);
        else expect(read.stringData?.map((s) => Buffer.from(s).toString())).toEqual(bytes);
      }),
      { numRuns: 300, seed: 2 },
    );
  });

  it('write a view of a bigger buffer, and only that', () => {
    const data = new Float32Array([1, 2, 3, 4]).subarray(1, 3);
    expect(decodeTensor(encodeTensor('', { dtype: 'float32', dims: [2], data })).tensor.data).toEqual(
      Float32Array.of(2, 3),
    );
  });

  it.each<[string, Tensor, string]>([
    ['too few elements', { dtype: 'float32', dims: [3], data: new Float32Array(2) }, 'tensor-size'],
    ['half of the nibbles', { dtype: 'int4', dims: [3], data: new Uint8Array(1) }, 'tensor-size'],
    ['another array', { dtype: 'float32', dims: [2], data: new Float64Array(2) }, 'tensor-storage'],
    ['numbers for strings', { dtype: 'string', dims: [2], data: new Uint8Array(2) }, 'tensor-storage'],
    ['strings for numbers', { dtype: 'int8', dims: [1], data: ['1'] }, 'tensor-storage'],
  ])('refuse %s', (_, tensor, code) => {
    expect(() => encodeTensor('t', tensor)).toThrow(LossgraftError);
    expect(() => encodeTensor('t', tensor)).toThrow(expect.objectContaining({ code }));
  });
});
