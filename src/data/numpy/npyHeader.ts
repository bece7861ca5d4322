import { LossgraftError } from '../../errors.ts';
import { type DataType, elementCount } from '../../tensor.ts';
import { MAX_HEADER_BYTES, MAX_RANK } from '../limits.ts';

/** The header of an .npy file. */
export interface NpyHeader {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** Bytes of one element. */
  readonly itemBytes: number;
  readonly bigEndian: boolean;
  /** The first axis varies fastest. */
  readonly fortran: boolean;
  /** Where the elements begin. */
  readonly dataOffset: number;
}

/** Enough of a file for {@link parseNpyHeader}. */
export const HEADER_WINDOW: number = 12 + MAX_HEADER_BYTES;

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59); // \x93NUMPY

/**
 * Reads the header of an .npy file, versions 1 to 3.
 *
 * @param start the file's first bytes, up to {@link HEADER_WINDOW}.
 * @param fileBytes the size of the whole file, which must be the header and the elements exactly.
 * @throws LossgraftError `not-npy`, `npy-header`, `npy-dtype` or `npy-size`.
 */
export function parseNpyHeader(start: Uint8Array, fileBytes: number, name: string): NpyHeader {
  const { text, dataOffset } = headerText(start, name);
  const { descr, fortran, dims } = parseDict(text, name);
  const { dtype, itemBytes, bigEndian } = parseDescr(descr, name);
  const wanted = dataOffset + dims.reduce((n, dim) => n * dim, itemBytes);
  if (!Number.isSafeInteger(wanted) || wanted !== fileBytes) {
    throw new LossgraftError({
      code: 'npy-size',
      where: name,
      expected: `${wanted} bytes for ${dtype}[${dims.join(', ')}], as its header says`,
      found: `${fileBytes} bytes`,
      hint: 'The file is truncated, or its header does not match its data; save it again',
    });
  }
  return { dtype, dims, itemBytes, bigEndian, fortran, dataOffset };
}

/** A version 1 header (version 2 if it is long), padded so that the elements begin at a multiple of 64. */
export function formatNpyHeader(descr: string, dims: readonly number[]): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const version = dict.length + 64 > 0xffff ? 2 : 1;
  const prefix = MAGIC.length + 2 + (version === 1 ? 2 : 4);
  const total = Math.ceil((prefix + dict.length + 1) / 64) * 64;
  const header = new Uint8Array(total).fill(0x20);
  header.set(MAGIC);
  header.set([version, 0], MAGIC.length);
  const view = new DataView(header.buffer);
  if (version === 1) view.setUint16(8, total - prefix, true);
  else view.setUint32(8, total - prefix, true);
  header.set(new TextEncoder().encode(dict), prefix);
  header[total - 1] = 0x0a;
  return header;
}

function headerText(start: Uint8Array, name: string): { text: string; dataOffset: number } {
  if (start.length < 12 || MAGIC.some((byte, i) => start[i] !== byte)) {
    throw new LossgraftError({
      code: 'not-npy',
      where: name,
      expected: 'a NumPy array (\\x93NUMPY…)',
      found: start.length === 0 ? 'an empty file' : 'other bytes',
      hint: 'Write it with numpy.save or numpy.savez',
    });
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const version = start[6] ?? 0;
  if (version < 1 || version > 3) throw badHeader(name, `version ${version}.${start[7]}`, 'a version from 1 to 3');
  const prefix = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) throw badHeader(name, `${length} bytes`, `at most ${MAX_HEADER_BYTES} bytes`);
  if (prefix + length > start.length) {
    throw badHeader(name, `a header of ${length} bytes in a file of ${start.length}`, 'a whole header');
  }
  const bytes = start.subarray(prefix, prefix + length);
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes);
  return { text, dataOffset: prefix + length };
}

interface Dict {
  readonly descr: string;
  readonly fortran: boolean;
  readonly dims: readonly number[];
}

const KEYS = {
  descr: /'descr'\s*:\s*('[^'\\]*'|"[^"\\]*"|\[.*\])/s,
  fortran: /'fortran_order'\s*:\s*(True|False)/,
  shape: /'shape'\s*:\s*\(([\d\sL,]*)\)/,
};

/** A Python literal with exactly the keys descr, fortran_order and shape, in any order. */
function parseDict(text: string, name: string): Dict {
  const shown = text.trim().slice(0, 200);
  let rest = text;
  const take = (key: RegExp): string => {
    const found = key.exec(rest);
    if (found?.[1] === undefined) throw badHeader(name, shown);
    rest = rest.replace(found[0], '');
    return found[1];
  };
  const descr = take(KEYS.descr);
  const fortran = take(KEYS.fortran) === 'True';
  const sizes = take(KEYS.shape)
    .split(',')
    .map((size) => size.trim().replace(/L$/, ''));
  if (!/^\s*\{[\s,]*\}\s*$/.test(rest)) throw badHeader(name, shown);
  if (sizes.at(-1) === '') sizes.pop();
  const dims = sizes.map((size) => (/^\d+$/.test(size) ? Number(size) : Number.NaN));
  const fits = dims.every(Number.isSafeInteger) && Number.isSafeInteger(elementCount(dims.filter((dim) => dim > 0)));
  if (dims.length > MAX_RANK || !fits)
    throw badHeader(name, shown, 'a shape of whole numbers that fits into memory addresses');
  return { descr, fortran, dims };
}

const NUMERIC: Readonly<Record<string, readonly [DataType, number]>> = {
  f2: ['float16', 2],
  f4: ['float32', 4],
  f8: ['float64', 8],
  i1: ['int8', 1],
  i2: ['int16', 2],
  i4: ['int32', 4],
  i8: ['int64', 8],
  u1: ['uint8', 1],
  u2: ['uint16', 2],
  u4: ['uint32', 4],
  u8: ['uint64', 8],
  b1: ['bool', 1],
};

function parseDescr(descr: string, name: string): { dtype: DataType; itemBytes: number; bigEndian: boolean } {
  const [, order, code, width] = /^['"]([<>|=]?)([a-zA-Z?])(\d*)['"]$/.exec(descr) ?? [];
  const numeric = NUMERIC[code === '?' ? 'b1' : `${code}${width}`];
  const bigEndian = order === '>';
  if (numeric !== undefined) return { dtype: numeric[0], itemBytes: numeric[1], bigEndian };
  const characters = Number(width);
  if (code === 'U' && characters >= 1 && characters < 2 ** 24) {
    return { dtype: 'string', itemBytes: 4 * characters, bigEndian };
  }
  const python = code === 'O';
  throw new LossgraftError({
    code: 'npy-dtype',
    where: name,
    expected: 'float16/32/64, int8…int64, uint8…uint64, bool or fixed-width text (U)',
    found: python ? 'a pickled object array' : `dtype ${descr.slice(0, 80)}`,
    hint: python
      ? 'Loading a pickle can run code, so lossgraft does not read them; convert it to a plain dtype'
      : 'Convert the array to one of these',
  });
}

/** numpy's name for a dtype, little-endian; `undefined` if numpy has none. */
export function npyDescr(dtype: DataType): string | undefined {
  const code = Object.entries(NUMERIC).find(([, [name]]) => name === dtype)?.[0];
  if (code === undefined) return undefined;
  return code.endsWith('1') ? `|${code}` : `<${code}`;
}

function badHeader(name: string, found: string, expected?: string): LossgraftError {
  return new LossgraftError({
    code: 'npy-header',
    where: name,
    expected: expected ?? "a header {'descr': …, 'fortran_order': …, 'shape': …}",
    found: found || 'nothing',
    hint: 'The file is damaged or not a NumPy array; save it again',
  });
}
