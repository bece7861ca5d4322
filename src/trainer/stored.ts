import { inFloat32, narrowed } from '../numbers.ts';
import { readSafetensors } from '../safetensors/read.ts';
import { writeSafetensors } from '../safetensors/write.ts';
import { type DataType, isOtherFloat, type Tensor } from '../tensor.ts';
import { weightsOf } from '../tuned/locate.ts';
import { VERSION } from '../version.ts';
import type { RunParts } from './parts.ts';

/**
 * Rounds the trained weights in a state's file to what the user's file can hold, if that is in half precision: what is judged is then what
 * is written.
 */
export function roundToStored({ request, graphs, folder }: RunParts, file: string): void {
  const { stored, name: model } = request.model;
  if (stored === undefined) return;
  const { tuned, untied } = graphs.common;
  const places = weightsOf(stored);
  const merged = new Map(untied.map(({ name, parameter }) => [name, parameter]));
  const typeOf = (name: string): DataType | undefined => places.get(merged.get(name) ?? name)?.dtype;
  const isTuned = new Set(tuned);
  const path = folder.file(file);
  const state = [...readSafetensors(path)].map(([name, tensor]): [string, Tensor] => {
    const dtype = isTuned.has(name) ? typeOf(name) : undefined;
    const own = dtype !== undefined && isOtherFloat(dtype) ? narrowed(tensor, dtype) : undefined;
    return [name, own === undefined ? tensor : inFloat32(own)];
  });
  const tensors = state.map(([name, tensor]) => {
    const { dtype, dims, data } = tensor;
    return { name, dtype, dims, bytes: 4 * data.length, read: () => tensor };
  });
  writeSafetensors(path, tensors, { lossgraft: VERSION, model });
}
