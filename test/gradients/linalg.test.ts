import { expect, test } from 'vitest';
import { gradientCases, runGradientCase } from '../support/gradientCases.ts';

const cases = new Map(gradientCases('linalg').map((c) => [c.name, c]));

async function opsOf(name: string): Promise<string[]> {
  const c = cases.get(name);
  if (!c) throw new Error(`no case ${name}`);
  return (await runGradientCase(c)).ops;
}

/** What the forward pass, the loss Σ y·dy and its output consist of. */
const LOSS = ['Expand', 'Identity', 'MatMul', 'Mul', 'ReduceSum'];

test.each([
  ['matmul-2d-2d', ['Gemm']],
  ['matmul-3d-2d-weight', ['Gemm', 'Reshape']],
  ['matmul-4d-2d-weight', ['Gemm', 'Reshape']],
  ['matmul-3d-1d', ['Gemm', 'Reshape', 'Squeeze', 'Unsqueeze']],
])('%s: the gradient of the weight is one product over all rows', async (name, expected) => {
  const ops = await opsOf(name);
  expect(ops.sort()).toEqual([...LOSS, ...expected].sort());
});

test('a batched product is never a broadcast multiply and a reduction', async () => {
  const ops = await opsOf('matmul-4d-4d');
  expect(ops.sort()).toEqual([...LOSS, 'Transpose'].sort());
});
