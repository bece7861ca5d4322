import type { Tensor, TensorData } from '../tensor.ts';
import { isText } from './numpy/npy.ts';

/** Makes every tensor `size` rows long by repeating its last row. */
export function fillBatch(feeds: Readonly<Record<string, Tensor>>, size: number): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, fillRows(tensor, size)]));
}

function fillRows(tensor: Tensor, size: number): Tensor {
  const [rows = 0, ...rest] = tensor.dims;
  if (rows >= size) return tensor;
  const width = tensor.data.length / rows;
  return { dtype: tensor.dtype, dims: [size, ...rest], data: repeatLast(tensor.data, rows, width, size) };
}

function repeatLast(data: TensorData, rows: number, width: number, size: number): TensorData {
  if (isText(data)) {
    const last = data.slice((rows - 1) * width);
    return [...data, ...Array.from({ length: size - rows }, () => last).flat()];
  }
  const rowBytes = width * data.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(size * rowBytes);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  for (let row = rows; row < size; row++) bytes.copyWithin(row * rowBytes, (rows - 1) * rowBytes, rows * rowBytes);
  const Kind = data.constructor as new (buffer: ArrayBuffer) => typeof data;
  return new Kind(bytes.buffer);
}
