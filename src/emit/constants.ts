import { LossgraftError } from '../errors.ts';
import { fromNumbers } from '../numbers.ts';
import type { DataType, Tensor } from '../tensor.ts';

/** A scalar tensor of that element type. @throws LossgraftError `constant-dtype` for a non-numeric type. */
export function scalarTensor(value: number, dtype: DataType): Tensor {
  const data = fromNumbers([value], dtype);
  if (data) return { dtype, dims: [], data };
  throw new LossgraftError({
    code: 'constant-dtype',
    where: `constant ${value}`,
    expected: 'a float, int32, int64, int8, uint8 or bool element type',
    found: dtype,
    hint: 'lossgraft cannot differentiate or compute this operator in that type',
  });
}
