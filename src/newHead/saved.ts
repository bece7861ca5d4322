import { readSafetensors } from '../safetensors/read.ts';
import { writeSafetensors } from '../safetensors/write.ts';
import type { Tensor } from '../tensor.ts';
import type { NewScore } from './head.ts';

/** Saves the new rows of a head, in float32, so that a resumed run continues with the same ones. */
export function saveScores(path: string, scores: readonly NewScore[], width: number): void {
  const fresh = scores.map((score) => (typeof score === 'number' ? undefined : score));
  const weights = new Float32Array(scores.length * width);
  for (const [k, score] of fresh.entries()) if (score) weights.set(Float32Array.from(score.weights), k * width);
  const bias = Float32Array.from(fresh, (score) => score?.bias ?? 0);
  const reach = Float32Array.from(fresh.flatMap((score) => score?.reach ?? [0, 0]));
  const tensors: [string, Tensor][] = [
    ['weights', { dtype: 'float32', dims: [scores.length, width], data: weights }],
    ['bias', { dtype: 'float32', dims: [scores.length], data: bias }],
    ['reach', { dtype: 'float32', dims: [scores.length, 2], data: reach }],
  ];
  writeSafetensors(
    path,
    tensors.map(([name, tensor]) => {
      const { dtype, dims, data } = tensor;
      return { name, dtype, dims, bytes: 4 * data.length, read: () => tensor };
    }),
    {},
  );
}

/** The rows of a head, with the new ones as saved. @param sources old rows that stay, by index. */
export function readScores(path: string, sources: readonly (number | null)[]): NewScore[] {
  const state = readSafetensors(path);
  const [weights, bias, reach] = ['weights', 'bias', 'reach'].map((name) =>
    Float32Array.from(state.get(name)?.data ?? [], Number),
  );
  const width = (weights?.length ?? 0) / sources.length;
  return sources.map((source, k): NewScore => {
    const own = { weights: weights?.subarray(k * width, (k + 1) * width) ?? [], bias: bias?.[k] ?? 0 };
    return source ?? { ...own, reach: [reach?.[2 * k] ?? 0, reach?.[2 * k + 1] ?? 0] };
  });
}
