import { describe, expect, test } from 'vitest';
import { type GradientCase, runGradientCase } from '../support/gradientCases.ts';

const ROWS = 20_000;
const WIDTH = 64;

test('an embedding sums exactly the rows that read it, however often and in however many threads', async () => {
  const indices = Array.from({ length: ROWS }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const x = { name: 'x', dtype: 'float32' as const, dims: [4, WIDTH], data: new Array<number>(4 * WIDTH).fill(0) };
  const embedding: GradientCase = {
    name: 'embedding',
    op: 'Gather',
    opset: 17,
    inputs: [x, { name: 'i', dtype: 'int64', dims: [ROWS], data: indices }],
    dy: [{ dims: [ROWS, WIDTH], data: new Array<number>(ROWS * WIDTH).fill(1) }],
    grads: { x },
    torch: 'x[i]',
  };
  const { grads, ops } = await runGradientCase(embedding);
  const ones = indices.filter((i) => i === 1).length;
  const expected = [ROWS - ones, ones, 0, 0].flatMap((count) => new Array<number>(WIDTH).fill(count));
  expect(grads.x).toEqual(expected);
  expect(ops).not.toContain('ScatterND');
});

interface Refusal {
  readonly op: string;
  readonly opset?: number;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly more: GradientCase['inputs'];
  readonly dy: readonly number[];
  readonly says: RegExp;
}

const int64 = (name: string, dims: readonly number[], data: readonly number[]) =>
  ({ name, dtype: 'int64', dims, data, constant: true }) as const;
const float32 = (name: string, dims: readonly number[], data: readonly number[]) =>
  ({ name, dtype: 'float32', dims, data, constant: true }) as const;

const REFUSALS: Readonly<Record<string, Refusal>> = {
  'ScatterElements with reduction mul': {
    op: 'ScatterElements',
    attributes: { reduction: 'mul' },
    more: [int64('i', [1, 1], [0]), float32('u', [1, 1], [2])],
    dy: [2, 2],
    says: /ScatterElements.*none or add.*mul/,
  },
  'ScatterND with reduction max': {
    op: 'ScatterND',
    opset: 18,
    attributes: { reduction: 'max' },
    more: [int64('i', [1, 1], [0]), float32('u', [1, 2], [2, 2])],
    dy: [2, 2],
    says: /ScatterND.*none or add.*max/,
  },
  'Resize that keeps the aspect ratio': {
    op: 'Resize',
    opset: 18,
    attributes: { mode: 'linear', keep_aspect_ratio_policy: 'not_larger' },
    more: [null, null, int64('sizes', [2], [4, 4])],
    dy: [4, 4],
    says: /Resize.*stretch.*not_larger/,
  },
};

describe('refused by name', () => {
  test.each(Object.entries(REFUSALS))('%s', async (name, { op, opset = 17, attributes = {}, more, dy, says }) => {
    const x = { name: 'x', dtype: 'float32' as const, dims: [2, 2], data: [1, 2, 3, 4] };
    const strings = Object.entries(attributes).map(
      ([key, value]) => [key, { type: 'string' as const, value }] as const,
    );
    const refused: GradientCase = {
      name,
      op,
      opset,
      attributes: Object.fromEntries(strings),
      inputs: [x, ...more],
      dy: [{ dims: dy, data: new Array<number>(dy.reduce((a, b) => a * b, 1)).fill(1) }],
      grads: { x },
      torch: 'refused',
    };
    await expect(runGradientCase(refused)).rejects.toThrow(says);
  });
});
