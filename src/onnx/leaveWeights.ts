import { lstatSync } from 'node:fs';
import { basename } from 'node:path';
import type { ByteSource } from '../files/bytes.ts';
import { isFileSource } from '../files/source.ts';
import { encodeMessage, int64 } from './codec.ts';
import type { ModelEdit, ModelProto, TensorProto } from './types.ts';
import { concat, lenField } from './wire.ts';

/** A smaller tensor is copied: it takes less space than a reference to it is worth. */
const LEAST_BYTES: number = 4 * 2 ** 10;

/**
 * The edit with the file's own weights left in the file: they become external data at their offset in it. For sessions on this machine,
 * opened from bytes with the file's folder for external data: ONNX Runtime maps them, instead of holding them three times while it loads.
 *
 * @param path of the model's file. If another file has its name by now, or it is a symbolic link (ONNX Runtime may not follow it out
 * of the folder), the weights stay in.
 */
export function leaveWeights(model: ModelProto, edit: ModelEdit, path: string): ModelEdit {
  if (!isStill(model.source, path)) return edit;
  const removed = new Set(edit.removals?.map(({ start }) => start));
  const left = model.graph.initializers.filter(
    ({ span, payload }) => payload.kind === 'raw' && payload.length >= LEAST_BYTES && !removed.has(span.start),
  );
  const location = basename(path);
  const pointers = left.map((tensor) => ({ span: tensor.span, bytes: pointer(tensor, location) }));
  return { ...edit, replacements: [...(edit.replacements ?? []), ...pointers] };
}

function isStill(source: ByteSource, path: string): boolean {
  if (!isFileSource(source)) return false;
  const found = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return found?.ino === source.identity.ino && found.dev === source.identity.dev && found.size === BigInt(source.size);
}

/** Of GraphProto. */
const INITIALIZER = 5;
/** A DataLocation. */
const EXTERNAL = 1;

function pointer({ name, dims, dtypeNumber, payload }: TensorProto, location: string): Uint8Array {
  const { offset, length } = payload.kind === 'raw' ? payload : { offset: 0, length: 0 };
  const tensor = encodeMessage('TensorProto', {
    dims: dims.map((dim) => int64(BigInt(dim))),
    dataType: dtypeNumber,
    name,
    externalData: [
      { key: 'location', value: location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(length) },
    ],
    dataLocation: EXTERNAL,
  });
  return concat(lenField(INITIALIZER, [tensor]));
}
