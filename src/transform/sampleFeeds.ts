import { LossgraftError } from '../errors.ts';
import { fromNumbers } from '../numbers.ts';
import type { Port } from '../runtime/session.ts';
import { elementCount, type Tensor, type TensorData } from '../tensor.ts';

/** The size of free dimensions other than the batch. */
const FREE_SIZE = 32;

/** Seeded random feeds of `batch` rows: floats in 0…1, integers 0 or 1. */
export function sampleFeeds(inputs: readonly Port[], batch: number): Record<string, Tensor> {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, shape } of inputs) {
    const dims = (shape ?? []).map((dim, i) => (i === 0 ? batch : typeof dim === 'number' ? dim : FREE_SIZE));
    const values = Array.from({ length: elementCount(dims) }, random);
    if (dtype === undefined) throw unfeedable(name, 'an unknown element type');
    feeds[name] = { dtype, dims, data: sampled(name, dtype, values) };
  }
  return feeds;
}

const REALS = new Set<Tensor['dtype']>(['float32', 'float64', 'float16']);

function sampled(name: string, dtype: Tensor['dtype'], values: readonly number[]): TensorData {
  const scaled = dtype === 'uint8' ? values.map((v) => v * 255) : values.map((v) => (v < 0.5 ? 0 : 1));
  const data = fromNumbers(REALS.has(dtype) ? values : scaled, dtype);
  if (data) return data;
  throw unfeedable(name, dtype);
}

function unfeedable(name: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'batch-not-provable',
    where: `input "${name}"`,
    expected: 'an input that random numbers can fill, to check that the rows of a batch are independent',
    found,
    hint: 'Export the model with a dynamic batch',
  });
}
