import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { type DataType, elementCount, type Tensor } from '../tensor.ts';
import { allocate, bytesOf, itemCount, storageOf } from './storage.ts';
import { countItems, readItems, readStrings } from './typedData.ts';
import type { Span, TensorProto } from './types.ts';

/** Where the elements of an external tensor are. */
export type OpenExternal = (
  source: ByteSource,
  tensor: TensorProto,
) => { readonly source: ByteSource; readonly offset: number; readonly length?: number | undefined };

/** Loads a tensor's elements: raw, typed, or where `open` says. Errors: `unknown-dtype`, `tensor-size`, `payload-type`. */
export function readWith(source: ByteSource, tensor: TensorProto, open: OpenExternal): Tensor {
  const { dtype, dims, payload } = tensor;
  if (dtype === undefined) {
    const expected = 'a data type up to number 26';
    throw problem(source, tensor, 'unknown-dtype', expected, `number ${tensor.dtypeNumber}`, 'Update lossgraft');
  }
  if (dtype === 'string') return { dtype, dims, data: stringsOf(source, tensor) };
  const items = itemCount(dtype, dims);
  if (payload.kind === 'typed') return { dtype, dims, data: typedItems(source, tensor, dtype, items, payload.fields) };
  const where = payload.kind === 'raw' ? { source, ...payload } : open(source, tensor);
  try {
    const bytes = items * storageOf(dtype).array.BYTES_PER_ELEMENT;
    const length = where.length ?? bytes;
    if (length !== bytes) throw sizeMismatch(source, tensor, `${bytes} bytes`, `${length}`);
    if (where.offset + length > where.source.size) {
      const found = `${where.source.name} of ${where.source.size} bytes, offset ${where.offset}`;
      throw sizeMismatch(source, tensor, `${bytes} bytes`, found);
    }
    const data = allocate(dtype, items);
    where.source.readInto(bytesOf(data), where.offset);
    return { dtype, dims, data };
  } finally {
    if (where.source !== source) where.source.close();
  }
}

function typedItems(
  source: ByteSource,
  tensor: TensorProto,
  dtype: Exclude<DataType, 'string'>,
  items: number,
  fields: readonly Span[],
): Tensor['data'] {
  const { field } = storageOf(dtype);
  const found = countItems(source, fields, field, `${dtype} tensor "${tensor.name}"`);
  if (found !== items) {
    const expected = `${items} items for ${dtype}[${tensor.dims.join(', ')}]`;
    throw sizeMismatch(source, tensor, expected, `${found}`);
  }
  const data = allocate(dtype, items);
  readItems(source, fields, field, data);
  return data;
}

function stringsOf(source: ByteSource, tensor: TensorProto): readonly string[] {
  const { payload } = tensor;
  if (payload.kind !== 'typed') {
    throw problem(source, tensor, 'payload-type', 'strings in string_data', `${payload.kind} data`, DAMAGED);
  }
  const strings = readStrings(source, payload.fields);
  const count = elementCount(tensor.dims);
  if (strings.length !== count) throw sizeMismatch(source, tensor, `${count} strings`, `${strings.length}`);
  return strings;
}

const DAMAGED = 'The tensor is damaged; export the model again';

function sizeMismatch(source: ByteSource, tensor: TensorProto, expected: string, found: string): LossgraftError {
  return problem(source, tensor, 'tensor-size', expected, found, DAMAGED);
}

function problem(
  source: ByteSource,
  tensor: TensorProto,
  code: ErrorCode,
  expected: string,
  found: string,
  hint: string,
): LossgraftError {
  const where = `${source.name}, byte ${tensor.span.start}, tensor "${tensor.name}"`;
  return new LossgraftError({ code, where, expected, found, hint });
}
