import { LossgraftError } from '../errors.ts';
import { writeAll, writeWhole } from '../files/whole.ts';
import type { DataType, Tensor } from '../tensor.ts';

const TYPES: Readonly<Partial<Record<DataType, string>>> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
};

/** A tensor to write: its elements are requested when their turn comes, so that only one tensor is in memory at a time. */
export interface LazyTensor {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly bytes: number;
  readonly read: () => Tensor;
}

/**
 * Writes a safetensors file: the header's length (uint64, little-endian), a JSON header, the elements. Into a temporary file first, then
 * renamed.
 *
 * @throws LossgraftError `write-failed`; then `path` is unchanged.
 */
export function writeSafetensors(
  path: string,
  tensors: readonly LazyTensor[],
  metadata: Readonly<Record<string, string>>,
): void {
  writeWhole(path, (fd) => {
    writeAll(fd, header(tensors, metadata));
    for (const tensor of tensors) writeAll(fd, elements(tensor));
  });
}

function header(tensors: readonly LazyTensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, dtype, dims, bytes } of tensors) {
    entries[name] = { dtype: TYPES[dtype] ?? refuse(name, dtype), shape: dims, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = JSON.stringify(entries);
  // Readers expect elements aligned to 8 bytes: the header is padded with spaces.
  const text = Buffer.from(json.padEnd(json.length + ((8 - (Buffer.byteLength(json) % 8)) % 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

function refuse(name: string, dtype: DataType): never {
  throw new LossgraftError({
    code: 'state-dtype',
    where: `tensor "${name}"`,
    expected: `one of ${Object.keys(TYPES).join(', ')}`,
    found: dtype,
    hint: 'a type that safetensors does not have',
  });
}

function elements(tensor: LazyTensor): Uint8Array {
  const { data } = tensor.read();
  if (!ArrayBuffer.isView(data)) return refuse(tensor.name, 'string');
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length === tensor.bytes) return bytes;
  throw new Error(`${tensor.name}: ${bytes.length} bytes, ${tensor.bytes} declared`);
}
