import { describe, expect, it } from 'vitest';
import { ownBuffers, release } from '../../src/runtime/release.ts';
import type { Tensor } from '../../src/tensor.ts';

const SIZE = 2 ** 20;

function tensor(data: Tensor['data']): Tensor {
  return { dtype: 'float32', dims: [data.length], data };
}

describe('release', () => {
  it('gives memory back at once, without the garbage collector', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) {
      const one = tensor(new Float32Array(SIZE).fill(i));
      release([one, one]);
      expect(one.data).toHaveLength(0);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * SIZE);
  });

  it('leaves views alone, and texts', () => {
    const whole = new Float32Array(SIZE);
    const [view, text] = [tensor(whole.subarray(1)), tensor(['a', 'b'])];
    expect(ownBuffers([view, text])).toEqual([]);
    release([view, text]);
    expect(whole).toHaveLength(SIZE);
    expect(view.data).toHaveLength(SIZE - 1);
    expect(text.data).toEqual(['a', 'b']);
  });
});
