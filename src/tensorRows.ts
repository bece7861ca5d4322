import { elementCount, isText, type Tensor, type TensorData } from './tensor.ts';

/** Elements of one row, along the first axis. */
export function rowWidth({ dims }: Pick<Tensor, 'dims'>): number {
  return elementCount(dims.slice(1));
}

/** Some rows, copied. */
export function sliceRows(tensor: Tensor, start: number, count: number): Tensor {
  const { dtype, dims, data } = tensor;
  const width = rowWidth(tensor);
  return { dtype, dims: [count, ...dims.slice(1)], data: data.slice(start * width, (start + count) * width) };
}

/** Some rows, in the tensor's own memory where it holds numbers. */
export function viewRows(tensor: Tensor, start: number, count: number): Tensor {
  const { dtype, dims, data } = tensor;
  if (isText(data)) return sliceRows(tensor, start, count);
  const width = rowWidth(tensor);
  return { dtype, dims: [count, ...dims.slice(1)], data: data.subarray(start * width, (start + count) * width) };
}

/** One row, as a batch of one. */
export function rowOf(tensor: Tensor, row: number): Tensor {
  return sliceRows(tensor, row, 1);
}

/** Rows in any order, copied. */
export function pickRows(tensor: Tensor, rows: Uint32Array): Tensor {
  const picked = allocateRows(tensor, rows.length);
  for (const [i, row] of rows.entries()) setRows(picked, i, viewRows(tensor, row, 1));
  return picked;
}

/** Makes a tensor `size` rows long by repeating its last row. */
export function padRows(tensor: Tensor, size: number): Tensor {
  const [rows = 0] = tensor.dims;
  if (rows >= size) return tensor;
  const padded = allocateRows(tensor, size);
  setRows(padded, 0, tensor);
  const last = viewRows(tensor, rows - 1, 1);
  for (let row = rows; row < size; row++) setRows(padded, row, last);
  return padded;
}

/** Room for `rows` rows such as the tensor's. */
export function allocateRows({ dtype, dims, data }: Tensor, rows: number): Tensor {
  const shape = [rows, ...dims.slice(1)];
  if (isText(data)) return { dtype, dims: shape, data: Array<string>(elementCount(shape)).fill('') };
  const Kind = data.constructor as new (length: number) => typeof data;
  return { dtype, dims: shape, data: new Kind(elementCount(shape)) };
}

/** Copies rows into a tensor of the same type, from row `at` on. */
export function setRows(target: Tensor, at: number, source: Tensor): void {
  const start = at * rowWidth(target);
  if (isText(source.data)) {
    if (isText(target.data)) (target.data as string[]).splice(start, source.data.length, ...source.data);
  } else if (!isText(target.data)) {
    bytesOf(target.data).set(bytesOf(source.data), start * source.data.BYTES_PER_ELEMENT);
  }
}

/** Elements one behind the other, of arrays of one type. */
export function joinData(parts: readonly TensorData[]): TensorData {
  const [first = []] = parts;
  if (isText(first)) return parts.flatMap((part) => (isText(part) ? part : []));
  const arrays = parts.flatMap((part) => (isText(part) ? [] : [part]));
  const bytes = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let done = 0;
  for (const array of arrays) {
    bytes.set(bytesOf(array), done);
    done += array.byteLength;
  }
  const Kind = first.constructor as new (buffer: ArrayBuffer) => typeof first;
  return new Kind(bytes.buffer);
}

function bytesOf({ buffer, byteOffset, byteLength }: Exclude<TensorData, readonly string[]>): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The same of every tensor. */
export function mapTensors(
  tensors: Readonly<Record<string, Tensor>>,
  map: (tensor: Tensor) => Tensor,
): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, map(tensor)]));
}
