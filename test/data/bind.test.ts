import { describe, expect, it } from 'vitest';
import { bindData } from '../../src/data/bind.ts';
import { fromTensors } from '../../src/data/dataset.ts';
import type { Port } from '../../src/runtime/session.ts';
import type { DataType, Tensor } from '../../src/tensor.ts';
import { mapTensors, padRows } from '../../src/tensorRows.ts';

const ROWS = 40;
const LABELS = { name: 'labels', classes: 3 };

function ports(dtype: DataType): Port[] {
  return [
    { name: 'x', dtype, shape: ['N', 2] },
    { name: 'labels', dtype: 'int64', shape: ['N'] },
  ];
}

function labels(bad?: { row: number; label: number }): Tensor {
  const data = Int16Array.from({ length: ROWS }, (_, row) => (row === bad?.row ? bad.label : row % 3));
  return { dtype: 'int16', dims: [ROWS], data };
}

describe('batches', () => {
  const x: Tensor = { dtype: 'float32', dims: [ROWS, 2], data: Float32Array.from({ length: 2 * ROWS }, (_, i) => i) };

  it('are the rows of the data, labels as int64', async () => {
    const { size, read } = bindData(fromTensors({ x, labels: labels() }), ports('float32'), LABELS);
    expect(size).toBe(ROWS);
    expect(await read(7, 2)).toEqual({
      x: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(14, 15, 16, 17) },
      labels: { dtype: 'int64', dims: [2], data: BigInt64Array.of(1n, 2n) },
    });
  });

  it('are not there twice where all data are in memory, as they are fed', () => {
    const whole = (dtype: DataType) => bindData(fromTensors({ x, labels: labels() }), ports(dtype), LABELS).whole;
    expect(whole('float32').x).toBe(x);
    const double: Tensor = { ...x, dtype: 'float64', data: new Float64Array(2 * ROWS) };
    expect(bindData(fromTensors({ x: double, labels: labels() }), ports('float32'), LABELS).whole).toEqual({});
  });

  it('count rows from the beginning of the data where a label is wrong', async () => {
    const data = fromTensors({ x, labels: labels({ row: 29, label: 3 }) });
    const { read } = bindData(data, ports('float32'), LABELS);
    await expect(read(16, 16)).rejects.toThrow(/row 29\] expected a class index among 0…2, found 3/);
    await expect(read(0, 16)).resolves.toBeDefined();
  });

  it.each<[string, Tensor]>([
    ['float32', { dtype: 'float32', dims: [40, 1], data: Float32Array.from({ length: 40 }, (_, i) => i % 2) }],
    ['float64', { dtype: 'float64', dims: [40], data: Float64Array.from({ length: 40 }, (_, i) => i % 2) }],
    ['bool', { dtype: 'bool', dims: [40], data: Uint8Array.from({ length: 40 }, (_, i) => i % 2) }],
  ])('%s labels that are whole numbers, as binary networks have them', async (_dtype, given) => {
    const { read } = bindData(fromTensors({ x, labels: given }), ports('float32'), LABELS);
    expect((await read(0, 3)).labels).toEqual({ dtype: 'int64', dims: [3], data: BigInt64Array.of(0n, 1n, 0n) });
  });

  it('and uint64 labels are judged as what they are', async () => {
    const data = BigUint64Array.from({ length: ROWS }, (_, row) => (row === 29 ? 2n ** 64n - 1n : 2n));
    const unsigned: Tensor = { dtype: 'uint64', dims: [ROWS], data };
    const { read } = bindData(fromTensors({ x, labels: unsigned }), ports('float32'), LABELS);
    await expect(read(16, 16)).rejects.toThrow(/row 29\] .* among 0…2, found 18446744073709551615/);
    expect((await read(0, 2)).labels).toEqual({ dtype: 'int64', dims: [2], data: BigInt64Array.of(2n, 2n) });
  });

  it('are not made of no rows', () => {
    const none = { dtype: 'float32', dims: [0, 2], data: new Float32Array() } as const;
    const noLabels = { dtype: 'int64', dims: [0], data: new BigInt64Array() } as const;
    const bind = (): unknown => bindData(fromTensors({ x: none, labels: noLabels }), ports('float32'), LABELS);
    expect(bind).toThrow(/expected at least one row, found no rows/);
  });

  it.each<[DataType, Tensor['data']]>([
    ['float32', Float32Array.from({ length: 2 * ROWS }, (_, i) => (i === 2 * 29 + 1 ? Number.NaN : 1))],
    ['float64', Float64Array.from({ length: 2 * ROWS }, (_, i) => (i === 2 * 29 + 1 ? Number.NaN : 1))],
    ['float16', Uint16Array.from({ length: 2 * ROWS }, (_, i) => (i === 2 * 29 + 1 ? 0xfe01 : 0x7c00))],
  ])('and where a %s is NaN; infinity is a number', async (dtype, values) => {
    const data = fromTensors({ x: { dtype, dims: [ROWS, 2], data: values }, labels: labels() });
    const { read } = bindData(data, ports(dtype), LABELS);
    await expect(read(16, 16)).rejects.toThrow(/input x, row 29\] expected numbers, found NaN at element 1 of the row/);
    await expect(read(0, 16)).resolves.toBeDefined();
  });

  it('are not made where an input has no rows of its own', () => {
    const scalar: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(1) };
    const bind = (): unknown => bindData(fromTensors({ x: scalar, labels: labels() }), ports('float32'), LABELS);
    expect(bind).toThrow(/found x: a scalar, labels: 40/);
  });
});

describe('a batch that is filled', () => {
  it('repeats its last row, of any dtype', () => {
    const filled = mapTensors(
      {
        floats: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
        halves: { dtype: 'float16', dims: [2, 1], data: Uint16Array.of(5, 6) },
        longs: { dtype: 'int64', dims: [2], data: BigInt64Array.of(7n, -8n) },
        texts: { dtype: 'string', dims: [2, 2], data: ['a', 'b', 'c', 'd'] },
      },
      (tensor) => padRows(tensor, 4),
    );
    expect(filled).toEqual({
      floats: { dtype: 'float32', dims: [4, 2], data: Float32Array.of(1, 2, 3, 4, 3, 4, 3, 4) },
      halves: { dtype: 'float16', dims: [4, 1], data: Uint16Array.of(5, 6, 6, 6) },
      longs: { dtype: 'int64', dims: [4], data: BigInt64Array.of(7n, -8n, -8n, -8n) },
      texts: { dtype: 'string', dims: [4, 2], data: ['a', 'b', 'c', 'd', 'c', 'd', 'c', 'd'] },
    });
  });

  it('of the right size is left alone, views of larger buffers too', () => {
    const view = Float32Array.of(0, 1, 2).subarray(1);
    const tensor: Tensor = { dtype: 'float32', dims: [2], data: view };
    expect(padRows(tensor, 2)).toBe(tensor);
    expect(padRows(tensor, 3).data).toEqual(Float32Array.of(1, 2, 2));
  });
});
