import * as ort from 'onnxruntime-node';
import { LossgraftError } from '../errors.ts';
import type { DataType, Tensor } from '../tensor.ts';
import { isRuntimeType, storageFits } from './feeds.ts';

/** A tensor in a GPU's memory: sessions of the same provider take it as a feed. */
export class DeviceTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly #native: ort.Tensor;

  constructor(dtype: DataType, native: ort.Tensor) {
    this.dtype = dtype;
    this.dims = native.dims;
    this.#native = native;
  }

  static nativeOf(tensor: DeviceTensor): ort.Tensor {
    return tensor.#native;
  }

  /** Gives its memory back. It must not be fed any more. */
  dispose(): void {
    this.#native.dispose();
  }
}

export type Feed = Tensor | DeviceTensor;

export function toNative(model: string, feed: Feed): ort.Tensor {
  if (feed instanceof DeviceTensor) return DeviceTensor.nativeOf(feed);
  const { dtype, data, dims } = feed;
  const type: ort.Tensor.Type | undefined = isRuntimeType(dtype) ? dtype : undefined;
  if (type !== undefined) return new ort.Tensor(type, data, dims);
  throw notCarried(`${model}, input`, dtype);
}

/** `data` of a tensor in a GPU's memory must not be asked for: that ends the process (seen in 1.30). */
export function fromNative(model: string, name: string, native: ort.Tensor): Feed {
  const { type, dims } = native;
  if (!isRuntimeType(type)) throw notCarried(`${model}, output ${name}`, type);
  if (native.location === 'gpu-buffer') return new DeviceTensor(type, native);
  const { data } = native;
  if (storageFits(type, data)) return { dtype: type, dims, data };
  throw notCarried(`${model}, output ${name}`, type);
}

function notCarried(where: string, type: string): LossgraftError {
  return new LossgraftError({
    code: 'dtype-not-carried',
    where,
    expected: 'a tensor type that onnxruntime-node supports',
    found: type,
    hint: 'Cast it inside the graph',
  });
}
