import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openNpy } from '../../src/data/numpy/arrays.ts';
import { decodeNpy, encodeNpy } from '../../src/data/numpy/npy.ts';
import { formatNpyHeader } from '../../src/data/numpy/npyHeader.ts';
import { LossgraftError } from '../../src/errors.ts';
import type { Tensor } from '../../src/tensor.ts';

interface Described {
  dtype: string;
  dims: number[];
  values: (number | string | boolean)[];
}

const folder = new URL('numpy/', import.meta.url).pathname;
const numpy: Record<string, Described> = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'));
const arrays = Object.keys(numpy).filter((name) => !name.includes('/'));

/** The same words as generate.py uses. */
function described({ dtype, dims, data }: Tensor): Described {
  const integer = /int|float16/.test(dtype);
  const values = Array.from(data as ArrayLike<number | string>, (item) =>
    integer ? String(item) : dtype === 'bool' ? item === 1 : item,
  );
  return { dtype, dims: [...dims], values };
}

function expected(name: string): Described {
  const found = numpy[name];
  if (found === undefined) throw new Error(name);
  return { ...found, dtype: found.dtype.replace(/^<U.*/, 'string') };
}

describe("NumPy's own files", () => {
  it.each(arrays)('%s', async (name) => {
    expect(described(await decodeNpy(readFileSync(`${folder}${name}.npy`), name))).toEqual(expected(name));
  });

  it.each(arrays.filter((name) => numpy[name]?.dims.length === 3))('%s by rows', async (name) => {
    const { column, close } = openNpy(`${folder}${name}.npy`);
    const all = expected(name);
    const rows = described(await column.read(1, 2));
    close();
    expect(rows).toEqual({ ...all, dims: [2, 3, 2], values: all.values.slice(6, 18) });
  });

  it.each([
    ['refused-pickle', /found a pickled object array\. Loading a pickle can run code/],
    ['refused-record', /found dtype \[\('x', '<f4'\), \('y', '<i8'\)\]/],
    ['refused-complex', /found dtype '<c8'/],
    ['refused-date', /found dtype '<M8\[s\]'/],
    ['refused-bytes', /found dtype '\|S2'/],
  ])('%s is refused by name', async (name, message) => {
    await expect(decodeNpy(readFileSync(`${folder}${name}.npy`), name)).rejects.toThrow(message);
  });

  it('rows outside are refused', async () => {
    const { column, close } = openNpy(`${folder}vector.npy`);
    await expect(column.read(3, 3)).rejects.toThrow('3 rows from 3 on');
    close();
  });
});

describe('what NumPy writes is what we write', () => {
  it.each(['f4-little-C', 'i8-little-C', 'bool-little-C', 'U3-little-C', 'vector', 'empty', 'scalar'])(
    '%s',
    async (name) => {
      const bytes = readFileSync(`${folder}${name}.npy`);
      const ours = encodeNpy(await decodeNpy(bytes, name));
      // NumPy leaves room for a growing first axis, so its header may be longer; the elements begin where the header ends.
      const start = (file: Uint8Array): number => 10 + new DataView(file.buffer, file.byteOffset).getUint16(8, true);
      const dict = (file: Uint8Array): string =>
        Buffer.from(file.subarray(10, start(file)))
          .toString('latin1')
          .trimEnd();
      expect(dict(ours)).toBe(dict(bytes));
      expect(Buffer.compare(ours.subarray(start(ours)), bytes.subarray(start(bytes)))).toBe(0);
      expect(start(ours) % 64).toBe(0);
    },
  );
});

describe('hostile headers', () => {
  const file = (dict: string, body = 0): Uint8Array => {
    const header = formatNpyHeader('<f4', [1]);
    const text = new TextEncoder().encode(dict.padEnd(header.length - 10));
    return Uint8Array.from([
      ...header.subarray(0, 8),
      text.length & 255,
      text.length >> 8,
      ...text,
      ...new Uint8Array(body),
    ]);
  };

  it.each([
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", 12, 'npy-size'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", 17, 'npy-size'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 16, 'npy-header'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 16, 'npy-header'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740991,), }", 16, 'npy-size'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, 'npy-header'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (2 2,), }", 16, 'npy-header'],
    ["{'descr': '<f4', 'fortran_order': False, }", 4, 'npy-header'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", 4, 'npy-header'],
    ["__import__('os').system('true')", 4, 'npy-header'],
    ["{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }", 3, 'npy-dtype'],
    ["{'descr': '<U0', 'fortran_order': False, 'shape': (1,), }", 0, 'npy-dtype'],
  ])('%s with %i bytes', async (dict, body, code) => {
    const error = await decodeNpy(file(dict, body), 'x.npy').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LossgraftError);
    expect(error).toMatchObject({ code });
  });

  it('any cut or flipped byte gives an array or a named error', async () => {
    const good = readFileSync(`${folder}f4-little-C.npy`);
    const attempt = async (bytes: Uint8Array): Promise<void> => {
      const result = await decodeNpy(bytes, 'x.npy').catch((thrown: unknown) => thrown);
      if (result instanceof Error) expect(result).toBeInstanceOf(LossgraftError);
    };
    for (let cut = 0; cut < good.length; cut++) {
      await expect(decodeNpy(good.subarray(0, cut), 'x.npy')).rejects.toThrow(LossgraftError);
    }
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Uint8Array.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await attempt(bytes);
    }
  });
});

describe('round trips', () => {
  it('numbers of every width', async () => {
    const dims = fc.array(fc.nat(4), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        dims,
        fc.constantFrom(Float32Array, Float64Array, Int16Array, Uint8Array),
        async (shape, Kind) => {
          const data = new Kind(shape.reduce((n, d) => n * d, 1)).map((_, i) => (i * 7919) % 101);
          const dtype = (
            { Float32Array: 'float32', Float64Array: 'float64', Int16Array: 'int16', Uint8Array: 'uint8' } as const
          )[Kind.name as 'Float32Array'];
          expect(await decodeNpy(encodeNpy({ dtype, dims: shape, data }))).toEqual({ dtype, dims: shape, data });
        },
      ),
    );
  });

  it('text', async () => {
    const text = fc.string({ unit: 'binary' }).map((item) => item.replace(/\0+$/, ''));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1 }), async (data) => {
        const tensor: Tensor = { dtype: 'string', dims: [data.length], data };
        expect(await decodeNpy(encodeNpy(tensor))).toEqual(tensor);
      }),
    );
  });

  it('bfloat16 is refused: NumPy has no such dtype', () => {
    expect(() => encodeNpy({ dtype: 'bfloat16', dims: [1], data: Uint16Array.of(0) })).toThrow(/found bfloat16/);
  });
});
