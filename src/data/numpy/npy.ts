import { LossgraftError } from '../../errors.ts';
import { elementCount, isText, type Tensor, type TensorData } from '../../tensor.ts';
import { type Column, checkRows } from '../dataset.ts';
import { formatNpyHeader, HEADER_WINDOW, type NpyHeader, npyDescr, parseNpyHeader } from './npyHeader.ts';

/** Fills `target` with the bytes at `offset`. */
export type ReadBytes = (target: Uint8Array, offset: number) => Promise<void>;

/**
 * Reads a whole .npy file from memory: row-major, in this machine's byte order.
 *
 * @throws LossgraftError if it is damaged or holds Python objects.
 */
export async function decodeNpy(bytes: Uint8Array, name = 'array'): Promise<Tensor> {
  const header = parseNpyHeader(bytes.subarray(0, HEADER_WINDOW), bytes.length, name);
  return readRows(header, 0, header.dims[0] ?? 1, name, async (target, offset) =>
    target.set(bytes.subarray(offset, offset + target.length)),
  );
}

/**
 * Writes a tensor as an .npy file.
 *
 * @throws LossgraftError `npy-dtype` for dtypes that numpy does not have (bfloat16, the 8-bit floats, packed ones).
 */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const { dims, data } = tensor;
  const text = isText(data);
  const width = text ? Math.max(1, ...data.map((item) => [...item].length)) : 0;
  const descr = text ? `<U${width}` : npyDescr(tensor.dtype);
  if (descr === undefined) {
    throw new LossgraftError({
      code: 'npy-dtype',
      where: 'encodeNpy',
      expected: 'a dtype of NumPy',
      found: tensor.dtype,
      hint: 'Convert the tensor first',
    });
  }
  const header = formatNpyHeader(descr, dims);
  const body = text ? utf32(data, width) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const file = new Uint8Array(header.length + body.length);
  file.set(header);
  file.set(body, header.length);
  return file;
}

/** A column over an .npy file that `read` gives access to. */
export function npyColumn(header: NpyHeader, name: string, read: ReadBytes): Column {
  const { dtype, dims } = header;
  return { dtype, dims, read: (start, count) => readRows(header, start, count, name, read) };
}

async function readRows(
  header: NpyHeader,
  start: number,
  count: number,
  name: string,
  read: ReadBytes,
): Promise<Tensor> {
  const { dtype, dims, itemBytes, dataOffset } = header;
  checkRows(dims, start, count, name);
  const rest = dims.slice(1);
  const rowBytes = elementCount(rest) * itemBytes;
  const bytes = new Uint8Array(count * rowBytes);
  if (header.fortran && rest.length > 0) await readFortran(header, start, count, bytes, read);
  else await read(bytes, dataOffset + start * rowBytes);
  const data = decodeElements(bytes, header);
  return { dtype, dims: dims.length === 0 ? [] : [count, ...rest], data };
}

/**
 * Column-major files keep each position's values for all rows together: one read per position of a row, scattered into place.
 * Words of the element's own alignment are moved, so that no bit pattern changes on the way.
 */
async function readFortran(
  header: NpyHeader,
  start: number,
  count: number,
  out: Uint8Array<ArrayBuffer>,
  read: ReadBytes,
): Promise<void> {
  const { itemBytes, dataOffset } = header;
  const [rows = 0, ...rest] = header.dims;
  const Word = itemBytes % 4 === 0 ? Uint32Array : itemBytes === 2 ? Uint16Array : Uint8Array;
  const words = itemBytes / Word.BYTES_PER_ELEMENT;
  const run = new Uint8Array(count * itemBytes);
  const from = new Word(run.buffer);
  const to = new Word(out.buffer);
  const width = elementCount(rest);
  const strides = rest.map((_, axis) => elementCount(rest.slice(axis + 1)));
  const index = rest.map(() => 0);
  for (let j = 0; j < width; j++) {
    await read(run, dataOffset + (j * rows + start) * itemBytes);
    const position = index.reduce((sum, i, axis) => sum + i * (strides[axis] ?? 0), 0);
    for (let row = 0; row < count; row++) {
      for (let w = 0; w < words; w++) to[(row * width + position) * words + w] = from[row * words + w] ?? 0;
    }
    advance(index, rest);
  }
}

/** Counts with the first axis fastest. */
function advance(index: number[], dims: readonly number[]): void {
  for (const [axis, dim] of dims.entries()) {
    const next = (index[axis] ?? 0) + 1;
    index[axis] = next < dim ? next : 0;
    if (next < dim) return;
  }
}

/** The elements in some bytes of an .npy file, in this machine's byte order. */
export function decodeElements(bytes: Uint8Array<ArrayBuffer>, { dtype, itemBytes, bigEndian }: NpyHeader): TensorData {
  const swapped = bigEndian ? swapBytes(bytes, dtype === 'string' ? 4 : itemBytes) : bytes;
  const { buffer } = swapped;
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer);
    case 'float64':
      return new Float64Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'float16':
    case 'uint16':
      return new Uint16Array(buffer);
    case 'uint32':
      return new Uint32Array(buffer);
    case 'uint64':
      return new BigUint64Array(buffer);
    case 'string':
      return fromUtf32(new Uint32Array(buffer), itemBytes / 4);
    default:
      return swapped;
  }
}

function swapBytes(bytes: Uint8Array<ArrayBuffer>, width: number): Uint8Array<ArrayBuffer> {
  for (let start = 0; start < bytes.length; start += width) {
    for (let i = start, j = start + width - 1; i < j; i++, j--) {
      const first = bytes[i] ?? 0;
      bytes[i] = bytes[j] ?? 0;
      bytes[j] = first;
    }
  }
  return bytes;
}

/** numpy pads text with NUL characters. A code point that Unicode does not have becomes U+FFFD. */
function fromUtf32(points: Uint32Array, width: number): string[] {
  return Array.from({ length: points.length / width }, (_, i) => {
    const item = points.subarray(i * width, (i + 1) * width);
    const text = Array.from(item, (point) => (point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point))).join('');
    return text.replace(/\0+$/, '');
  });
}

function utf32(items: readonly string[], width: number): Uint8Array {
  const points = new Uint32Array(items.length * width);
  for (const [i, item] of items.entries()) {
    points.set(
      [...item].map((character) => character.codePointAt(0) ?? 0),
      i * width,
    );
  }
  return new Uint8Array(points.buffer);
}
