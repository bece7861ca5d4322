import { readSafetensors } from '../safetensors/read.ts';
import type { Tensor } from '../tensor.ts';
import type { RunParts } from './parts.ts';
import { roundToStored } from './stored.ts';

/** The fraction of the way from before to after. */
export const HALF = 0.5;

/** The weights halfway between before and after training, as a state of their own. */
export async function saveHalf(parts: RunParts, file: string): Promise<string> {
  const { runner, graphs, folder } = parts;
  const before = new Map(graphs.current.graph.initialState());
  const tuned = new Set(graphs.common.tuned);
  const state = [...readSafetensors(folder.file(file))].map(([name, after]): [string, Tensor] => {
    const given = before.get(name);
    return [name, given && tuned.has(name) ? between(given, after) : after];
  });
  await runner.ask({ kind: 'set', state: Object.fromEntries(state) });
  const half = folder.fresh('half');
  await runner.ask({ kind: 'save', path: folder.file(half) });
  roundToStored(parts, half);
  return half;
}

function between(a: Tensor, b: Tensor): Tensor {
  const data = new Float32Array(b.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Number(a.data[i]) + HALF * (Number(b.data[i]) - Number(a.data[i]));
  return { dtype: 'float32', dims: b.dims, data };
}
