import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeNpy } from '../../src/data/numpy/npy.ts';
import { openNpz, writeNpz } from '../../src/data/numpy/npz.ts';
import { LossgraftError } from '../../src/errors.ts';
import type { Tensor } from '../../src/tensor.ts';
import { needsPython, PYTHON } from '../onnx/python.ts';
import { temporaryFolder } from '../support/cli.ts';

const folder = join(import.meta.dirname, 'numpy');
const IMAGES = Float32Array.from({ length: 24 }, (_, i) => i - 5);

describe('what NumPy writes', () => {
  it.each(['stored', 'deflated'])('%s', async (name) => {
    const { columns, close } = await openNpz(join(folder, `${name}.npz`));
    expect([...columns.keys()]).toEqual(['images', 'labels']);
    expect(await columns.get('images')?.read(0, 6)).toEqual({ dtype: 'float32', dims: [6, 2, 2], data: IMAGES });
    expect(await columns.get('images')?.read(4, 2)).toEqual({
      dtype: 'float32',
      dims: [2, 2, 2],
      data: IMAGES.slice(16),
    });
    expect(await columns.get('labels')?.read(1, 3)).toEqual({
      dtype: 'uint8',
      dims: [3],
      data: Uint8Array.of(1, 2, 3),
    });
    close();
  });
});

describe('what we write', () => {
  it('NumPy reads', needsPython('numpy'), async () => {
    const path = join(temporaryFolder(), 'out.npz');
    await writeNpz(path, {
      loss: { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1.5, -2, 2 ** -30, Number.NaN) },
      half: { dtype: 'float16', dims: [1], data: Uint16Array.of(0x3e00) },
      labels: { dtype: 'int64', dims: [2], data: BigInt64Array.of(-(2n ** 62n), 7n) },
      flags: { dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) },
      names: { dtype: 'string', dims: [2], data: ['zwölf', '😀'] },
      one: { dtype: 'float64', dims: [], data: Float64Array.of(0.1) },
    });
    const script = 'import numpy,sys; z=numpy.load(sys.argv[1]); print({k:(str(z[k].dtype),z[k].tolist()) for k in z})';
    const shown = execFileSync(PYTHON, ['-c', script, path], { encoding: 'utf8' });
    expect(shown.trim()).toBe(
      "{'loss': ('float32', [[1.5, -2.0], [9.313225746154785e-10, nan]]), 'half': ('float16', [1.5]), " +
        "'labels': ('int64', [-4611686018427387904, 7]), 'flags': ('bool', [True, False, True]), " +
        "'names': ('<U5', ['zwölf', '😀']), 'one': ('float64', 0.1)}",
    );
  });

  it('we read, and the same arrays give the same bytes', async () => {
    const path = join(temporaryFolder(), 'out.npz');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.float(), { minLength: 1 }), async (values) => {
        const tensor: Tensor = { dtype: 'float32', dims: [values.length], data: Float32Array.from(values) };
        await writeNpz(path, { x: tensor });
        const bytes = readFileSync(path);
        const { columns, close } = await openNpz(path);
        expect(await columns.get('x')?.read(0, values.length)).toEqual(tensor);
        close();
        await writeNpz(path, { x: tensor });
        expect(readFileSync(path)).toEqual(bytes);
      }),
      { numRuns: 20 },
    );
  });
});

interface Crafted {
  readonly name?: string;
  readonly body: Uint8Array;
  readonly method?: number;
  /** What the directory claims of the inflated size. */
  readonly claims?: number;
  readonly crc?: number;
  readonly flags?: number;
}

/** A zip of one entry, with whatever lies it is told to tell. */
function craft({ name = 'x.npy', body, method = 0, claims = body.length, crc = 0, flags = 0 }: Crafted): Buffer {
  const file = Buffer.from(name);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(flags, 2);
  fields.writeUInt16LE(method, 4);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(body.length, 14);
  fields.writeUInt32LE(claims, 18);
  fields.writeUInt16LE(file.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, file, body]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, Buffer.alloc(14), file]);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

describe('hostile archives', () => {
  const npy = encodeNpy({ dtype: 'float32', dims: [4], data: new Float32Array(4) });

  async function attempt(bytes: Uint8Array): Promise<unknown> {
    const path = join(temporaryFolder(), 'x.npz');
    writeFileSync(path, bytes);
    try {
      const { columns, close } = await openNpz(path);
      try {
        return await columns.get('x')?.read(0, 4);
      } finally {
        close();
      }
    } catch (error) {
      if (!(error instanceof LossgraftError)) throw error;
      return error.message;
    }
  }

  it('the crafted archive itself is sound', async () => {
    expect(await attempt(craft({ body: npy }))).toMatchObject({ dims: [4] });
  });

  it.each<[string, Crafted, RegExp]>([
    [
      'more bytes than claimed',
      { body: deflateRawSync(npy), method: 8, claims: npy.length - 4 },
      /too many bytes|found 140 bytes/,
    ],
    [
      'fewer bytes than claimed',
      { body: deflateRawSync(npy), method: 8, claims: npy.length + 4 },
      /not enough bytes|found 148 bytes/,
    ],
    [
      'a header that asks for more than there is',
      { body: npy.subarray(0, npy.length - 8) },
      /expected 144 bytes.*found 136 bytes/,
    ],
    [
      'a bomb above the bound',
      { body: deflateRawSync(npy), method: 8, claims: 2 ** 31 + 1 },
      /at most 2147483648 bytes.*numpy\.savez, uncompressed/,
    ],
    ['another checksum', { body: deflateRawSync(npy), method: 8, claims: npy.length, crc: 7 }, /CRC-32 7/],
    ['encryption', { body: deflateRawSync(npy), method: 8, claims: npy.length, flags: 1 }, /an encrypted one/],
    ['an unknown compression', { body: npy, method: 12, claims: npy.length + 1 }, /compression method 12/],
    ['a file that is no array', { name: 'x.txt', body: npy }, /only arrays.*found x\.txt/],
    ['a path that climbs out', { name: '../x.npy', body: npy }, /invalid relative path/],
    [
      'damaged deflate data',
      { body: Uint8Array.of(255, 255, 255, 255), method: 8, claims: npy.length },
      /bad-npz|invalid|expected a zip of NumPy arrays/,
    ],
  ])('%s', async (_what, crafted, message) => {
    expect(await attempt(craft(crafted))).toMatch(message);
  });

  it('cuts and flips give data or a named error', async () => {
    const good = craft({ body: deflateRawSync(npy), method: 8, claims: npy.length });
    for (let cut = 0; cut < good.length; cut += 7) expect(typeof (await attempt(good.subarray(0, cut)))).toBe('string');
    for (let bit = 0; bit < good.length * 8; bit += 5) {
      const bytes = Uint8Array.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await attempt(bytes);
    }
  });
});
