import type { ByteSource } from '../files/bytes.ts';
import { fromBytes } from '../files/bytes.ts';
import type { Tensor } from '../tensor.ts';
import { openExternal } from './external.ts';
import { WireReader } from './reader.ts';
import { readWith } from './readWith.ts';
import { scanTensor } from './scanTensor.ts';
import type { TensorProto } from './types.ts';

export interface ReadOptions {
  /** The folder against which external data's locations are resolved: the model file's. */
  readonly modelDir?: string;
}

/**
 * Loads a tensor's elements: raw, typed or external, of any data type.
 * Errors: `unknown-dtype`, `tensor-size`, `payload-type`, and for external data those of {@link openExternal}.
 */
export function readTensor(source: ByteSource, tensor: TensorProto, options: ReadOptions = {}): Tensor {
  return readWith(source, tensor, (...place) => openExternal(...place, options.modelDir));
}

/** A TensorProto file (.pb) as in ONNX's backend tests. */
export function decodeTensor(bytes: Uint8Array, fileName = 'tensor'): { name: string; tensor: Tensor } {
  const source = fromBytes(bytes, fileName);
  const view = scanTensor(new WireReader(source), { start: 0, body: 0, end: bytes.length });
  return { name: view.name, tensor: readTensor(source, view) };
}
