import { describe, expect, it } from 'vitest';
import type { Tolerance } from '../../src/numbers.ts';
import { checkNodes } from '../../src/runtime/cuda/proof.ts';
import { compareOutputs } from '../../src/runtime/device/agreement.ts';
import type { Tensor } from '../../src/tensor.ts';

const float = (...data: number[]): Tensor => ({ dtype: 'float32', dims: [data.length], data: Float32Array.from(data) });
const exact: Tolerance = { rtol: 0, atol: 0 };
const agrees = (got: Tensor, want: Tensor, tolerance: Tolerance = exact): boolean | undefined =>
  compareOutputs({ y: got }, { y: want }, tolerance)[0]?.agrees;

describe('compareOutputs', () => {
  it('measures the largest differences', () => {
    const [row] = compareOutputs({ y: float(1, 2.5, -4) }, { y: float(1, 2, -8) }, { rtol: 0.5, atol: 0 });
    expect(row).toEqual({ output: 'y', elements: 3, maxAbsolute: 4, maxRelative: 0.5, agrees: true });
  });

  it('holds both parts of the tolerance', () => {
    expect(agrees(float(100.5), float(100), { rtol: 0.004, atol: 0.1 })).toBe(true);
    expect(agrees(float(100.51), float(100), { rtol: 0.004, atol: 0.1 })).toBe(false);
  });

  it('takes NaN and infinities for themselves alone', () => {
    const loose: Tolerance = { rtol: 1, atol: 1 };
    expect(agrees(float(NaN, Infinity, -Infinity), float(NaN, Infinity, -Infinity), loose)).toBe(true);
    expect(agrees(float(NaN), float(0), loose)).toBe(false);
    expect(agrees(float(0), float(NaN), loose)).toBe(false);
    expect(agrees(float(1), float(Infinity), loose)).toBe(false);
    expect(agrees(float(Infinity), float(1), loose)).toBe(false);
    expect(agrees(float(-Infinity), float(Infinity), loose)).toBe(false);
  });

  it('wants integers, booleans and strings equal, whatever the tolerance', () => {
    const loose: Tolerance = { rtol: 1, atol: 9 };
    const long = (...data: bigint[]): Tensor => ({
      dtype: 'int64',
      dims: [data.length],
      data: BigInt64Array.from(data),
    });
    const text = (...data: string[]): Tensor => ({ dtype: 'string', dims: [data.length], data });
    expect(agrees(long(3n), long(3n), loose)).toBe(true);
    expect(agrees(long(3n), long(4n), loose)).toBe(false);
    expect(agrees(long(2n ** 53n), long(2n ** 53n + 1n), loose)).toBe(false);
    expect(agrees(text('a'), text('a'), loose)).toBe(true);
    expect(agrees(text('a'), text('b'), loose)).toBe(false);
  });

  it('compares float16 by value', () => {
    const half = (...data: number[]): Tensor => ({
      dtype: 'float16',
      dims: [data.length],
      data: Uint16Array.from(data),
    });
    const [row] = compareOutputs({ y: half(0x3c00, 0x8000) }, { y: half(0x3e00, 0x0000) }, { rtol: 0, atol: 0.5 });
    expect(row).toMatchObject({ maxAbsolute: 0.5, agrees: true });
    expect(agrees(half(0x7e00), half(0x7e01))).toBe(true);
  });

  it('does not take another shape, type or a missing output', () => {
    expect(agrees(float(1, 2), float(1))).toBe(false);
    expect(agrees({ ...float(1), dims: [1, 1] }, float(1))).toBe(false);
    expect(compareOutputs({}, { y: float(1) }, exact)).toMatchObject([{ agrees: false }]);
  });
});

describe('checkNodes', () => {
  const cuda = { provider: 'CUDAExecutionProvider', op: 'Conv', name: 'c' };
  const cpu = { provider: 'CPUExecutionProvider', op: 'Gather', name: 'g' };

  it('takes nodes on CUDA, and on the CPU the listed ones alone', () => {
    expect(checkNodes('m', [cuda, cpu], [cpu])).toEqual([cuda]);
    expect(() => checkNodes('m', [cuda, cpu], [])).toThrow('on the CPU: Gather (g)');
    expect(() => checkNodes('m', [cuda, { ...cpu, op: 'MaxPool' }], [cpu])).toThrow('on the CPU: MaxPool (g)');
  });

  it('wants at least one node on CUDA', () => {
    expect(() => checkNodes('m', [cpu], [cpu])).toThrow('none of them on CUDA');
  });
});
