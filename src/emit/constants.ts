import { LossgraftError } from '../errors.ts';
import { numberToBfloat16, numberToFloat16 } from '../onnx/index.ts';
import type { DataType, Tensor } from '../tensor.ts';

/** A scalar tensor of that element type. @throws LossgraftError `constant-dtype` for a type that holds no plain number. */
export function scalarTensor(value: number, dtype: DataType): Tensor {
  return { dtype, dims: [], data: filled(value, dtype, 1) };
}

function filled(value: number, dtype: DataType, length: number): Tensor['data'] {
  const values = new Array<number>(length).fill(value);
  switch (dtype) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'float16':
      return Uint16Array.from(values, numberToFloat16);
    case 'bfloat16':
      return Uint16Array.from(values, numberToBfloat16);
    case 'int64':
      return BigInt64Array.from(values, (v) => BigInt(v));
    case 'int32':
      return Int32Array.from(values);
    case 'bool':
    case 'uint8':
      return Uint8Array.from(values);
    default:
      throw new LossgraftError({
        code: 'constant-dtype',
        where: `constant ${value}`,
        expected: 'a float, int32, int64, uint8 or bool element type',
        found: dtype,
        hint: 'This operator cannot be differentiated or computed in that type',
      });
  }
}
