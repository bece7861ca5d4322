import { readSafetensors } from '../safetensors/read.ts';
import { writeSafetensors } from '../safetensors/write.ts';
import type { Tensor } from '../tensor.ts';
import { asStored, weightsOf, withScales } from '../tuned/locate.ts';
import { readable } from '../tuned/writeBack.ts';
import { VERSION } from '../version.ts';
import type { RunParts } from './parts.ts';

/**
 * Rounds the trained weights in a state's file to the precision of the user's file, if it is below float32, so that the judged model is
 * the written one.
 */
export function roundToStored({ request, graphs, folder }: RunParts, file: string): void {
  const { stored, name: model } = request.model;
  if (stored === undefined) return;
  const { tuned, untied } = graphs.common;
  const places = weightsOf(stored);
  const merged = new Map(untied.map(({ name, parameter }) => [name, parameter]));
  const isTuned = new Set(tuned);
  const path = folder.file(file);
  const read = readSafetensors(path);
  const { model: own } = withScales(readable(stored), new Map([...read].filter(([name]) => isTuned.has(name))));
  const state = [...read].map(([name, tensor]): [string, Tensor] => {
    const place = isTuned.has(name) ? places.get(merged.get(name) ?? name) : undefined;
    return [name, (place && asStored(own, tensor, place)) ?? tensor];
  });
  const tensors = state.map(([name, tensor]) => {
    const { dtype, dims, data } = tensor;
    return { name, dtype, dims, bytes: 4 * data.length, read: () => tensor };
  });
  writeSafetensors(path, tensors, { lossgraft: VERSION, model });
}
