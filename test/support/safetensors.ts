/** A safetensors file by its format: a length (uint64, little-endian), a JSON header of that length, the elements. */
export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<
    string,
    { readonly dtype: string; readonly shape: readonly number[]; readonly data: number[] }
  >;
}

/** Reads float32 tensors, and holds the file to the format: aligned, without gaps, nothing behind the last element. */
export function parseSafetensors(bytes: Uint8Array): Safetensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length % 8 !== 0) throw new Error(`a header of ${length} bytes`);
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(Buffer.from(bytes.subarray(8, 8 + length)).toString());
  const tensors = new Map<string, { dtype: string; shape: number[]; data: number[] }>();
  let end = 0;
  for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries<{
    dtype: string;
    shape: number[];
    data_offsets: [number, number];
  }>(entries)) {
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (dtype !== 'F32' || offsets[0] !== end || offsets[1] - offsets[0] !== 4 * count)
      throw new Error(`${name}: ${dtype}`);
    end = offsets[1];
    const data = Array.from({ length: count }, (_, i) => view.getFloat32(8 + length + offsets[0] + 4 * i, true));
    tensors.set(name, { dtype, shape, data });
  }
  if (8 + length + end !== bytes.length) throw new Error(`${bytes.length} bytes, ${8 + length + end} described`);
  return { metadata, tensors };
}
