import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, writeTuned } from '../../src/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { tunedBytes } from '../../src/tuned/tunedBytes.ts';
import { temporaryFolder } from '../support/cli.ts';
import { digitsWith, type Storage, weightsIn } from '../support/digits.ts';

/** Other elements for some weights of the file. */
function trained(path: string): Map<string, Tensor> {
  const weights = weightsIn(path, join(path, '..'));
  const dims: Readonly<Record<string, readonly number[]>> = { 'fc2.weight': [10, 64], 'fc2.bias': [10] };
  return new Map(
    Object.entries(dims).map(([name, shape]) => {
      const data = (weights.get(name) ?? new Float32Array()).map((value, i) => value + 0.01 * (i + 1));
      return [name, { dtype: 'float32', dims: shape, data }];
    }),
  );
}

describe('tunedBytes', () => {
  it.each<Storage>(['raw', 'typed', 'constant'])('%s weights: the bytes that writeTuned writes', async (storage) => {
    const folder = temporaryFolder();
    const path = digitsWith(storage, folder);
    const state = trained(path);
    const model = await open(path);
    writeTuned(model, state, join(folder, 'tuned.onnx'));
    model.close();
    const bytes = tunedBytes(readFileSync(path), state);
    expect(Buffer.compare(bytes, readFileSync(join(folder, 'tuned.onnx')))).toBe(0);
    expect(Buffer.compare(bytes, readFileSync(path))).not.toBe(0);
    expect(weightsIn(join(folder, 'tuned.onnx'), folder).get('fc2.bias')).toEqual(state.get('fc2.bias')?.data);
  });

  it.each([
    ['external-weights', 'external', (state: Map<string, Tensor>) => state],
    [
      'not-in-file',
      'raw',
      (state: Map<string, Tensor>) => new Map([...state, ['fc2.weight.momentum', zeros([10, 64])]]),
    ],
    ['state-mismatch', 'raw', (state: Map<string, Tensor>) => new Map([...state, ['fc2.bias', zeros([11])]])],
  ] as const)('refuses %s', (code, storage, change) => {
    const path = digitsWith(storage, temporaryFolder());
    const stored = digitsWith('raw', temporaryFolder());
    expect(() => tunedBytes(readFileSync(path), change(trained(stored)))).toThrow(expect.objectContaining({ code }));
  });
});

function zeros(dims: readonly number[]): Tensor {
  return { dtype: 'float32', dims, data: new Float32Array(dims.reduce((n, dim) => n * dim, 1)) };
}
