import type { ByteSource } from '../files/bytes.ts';
import { replaceItems } from './typedData.ts';
import type { TensorProto } from './types.ts';

/** Other bytes, as many, at a place of a file. */
export interface BytePatch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const FLOAT_DATA = 4;

/**
 * Replaces the elements of a float32 tensor in place, raw or typed.
 *
 * @param elements little-endian, as many as the tensor has.
 */
export function elementPatches(source: ByteSource, { payload }: TensorProto, elements: Uint8Array): BytePatch[] {
  if (payload.kind === 'raw') return [{ offset: payload.offset, bytes: elements }];
  if (payload.kind === 'external') return [];
  const runs = replaceItems(source, payload.fields, FLOAT_DATA, elements);
  return payload.fields.flatMap(({ start }, i) => {
    const bytes = runs[i];
    return bytes === undefined ? [] : [{ offset: start, bytes }];
  });
}

/** `source` as it reads after the patches, which do not overlap. */
export function patchedSource(source: ByteSource, patches: readonly BytePatch[]): ByteSource {
  const sorted = patches.toSorted((a, b) => a.offset - b.offset);
  const overlay = (target: Uint8Array, offset: number): void => {
    for (let i = firstBehind(sorted, offset); i < sorted.length; i++) {
      const patch = sorted[i];
      if (patch === undefined || patch.offset >= offset + target.length) return;
      const from = Math.max(patch.offset, offset);
      const to = Math.min(patch.offset + patch.bytes.length, offset + target.length);
      target.set(patch.bytes.subarray(from - patch.offset, to - patch.offset), from - offset);
    }
  };
  return {
    name: source.name,
    size: source.size,
    read(offset, length) {
      const bytes = Uint8Array.from(source.read(offset, length));
      overlay(bytes, offset);
      return bytes;
    },
    readInto(target, offset) {
      source.readInto(target, offset);
      overlay(target, offset);
    },
    close: () => source.close(),
  };
}

/** The first patch that ends behind `offset`. */
function firstBehind(sorted: readonly BytePatch[], offset: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const patch = sorted[middle];
    if (patch !== undefined && patch.offset + patch.bytes.length <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
