import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat32,
  bfloat16ToNumber,
  float16ToFloat32,
  float16ToNumber,
  float32ToBfloat16,
  float32ToFloat16,
  numberToBfloat16,
  numberToFloat16,
} from '../../src/onnx/index.ts';
import { needsPython, python } from './python.ts';

const view = new DataView(new ArrayBuffer(4));

function float32OfBits(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

function bitsOfFloat32(value: number): number {
  view.setFloat32(0, value);
  return view.getUint32(0);
}

const all16 = Array.from({ length: 65536 }, (_, i) => i);

describe('float16', () => {
  it('agrees with numpy on every bit pattern and around every rounding boundary', needsPython('numpy'), () => {
    const finite = all16.filter((bits) => (bits & 0x7c00) !== 0x7c00);
    // Between a binary16 number and the next one away from zero lies a float32 midpoint; its neighbours round apart.
    const boundaries = finite.flatMap((bits) => {
      const next = (bits & 0x7fff) === 0x7bff ? Math.sign(float16ToNumber(bits)) * 65536 : float16ToNumber(bits + 1);
      const middle = bitsOfFloat32((float16ToNumber(bits) + next) / 2);
      return [middle - 1, middle, middle + 1];
    });
    const inputs = [...boundaries, 0, 0x80000000, 0x7f800000, 0xff800000, 0x7f7fffff, 1, 0x80000001];
    const [values = '', rounded = ''] = python('half.py', inputs.join(' ')).split('\n');
    const expectedValues = values.split(' ').map((bits) => float32OfBits(Number(bits)));
    expect([...float16ToFloat32(Uint16Array.from(all16))]).toEqual(expectedValues);
    const floats = Float32Array.from(inputs, float32OfBits);
    expect([...float32ToFloat16(floats)]).toEqual(rounded.split(' ').map(Number));
  });

  it('keeps NaN a NaN and knows the corners', () => {
    expect(numberToFloat16(Number.NaN) & 0x7c00).toBe(0x7c00);
    expect(numberToFloat16(Number.NaN) & 0x03ff).not.toBe(0);
    expect(float16ToNumber(0x7e00)).toBeNaN();
    expect(numberToFloat16(-0)).toBe(0x8000);
    expect(numberToFloat16(65519)).toBe(0x7bff);
    expect(numberToFloat16(65520)).toBe(0x7c00);
    expect(numberToFloat16(2 ** -25)).toBe(0);
    expect(numberToFloat16(2 ** -25 * 1.0001)).toBe(1);
  });
});

describe('bfloat16', () => {
  it('is the upper half of a float32, for every bit pattern', () => {
    const values = bfloat16ToFloat32(Uint16Array.from(all16));
    for (const bits of all16) expect(values[bits]).toBe(float32OfBits(bits * 65536));
    expect(bfloat16ToNumber(0x3fc0)).toBe(1.5);
  });

  it('rounds to the nearest, ties to even, around every boundary', () => {
    for (const bits of all16) {
      if ((bits & 0x7f80) === 0x7f80) continue;
      const even = (bits & 1) === 0 ? bits : bits + 1;
      const [below, middle, above] = [0x7fff, 0x8000, 0x8001].map((low) => float32OfBits(bits * 65536 + low));
      expect([...float32ToBfloat16(Float32Array.of(below ?? 0, middle ?? 0, above ?? 0))]).toEqual([
        bits,
        even,
        bits + 1,
      ]);
    }
  });

  it('keeps infinity and NaN', () => {
    expect(numberToBfloat16(Number.NEGATIVE_INFINITY)).toBe(0xff80);
    expect(bfloat16ToNumber(numberToBfloat16(Number.NaN))).toBeNaN();
    // A NaN whose payload is in the lower half alone must not become infinity.
    expect(bfloat16ToNumber(numberToBfloat16(float32OfBits(0x7f800001)))).toBeNaN();
  });
});
