import { createReadStream, statSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { LossgraftError } from '../../errors.ts';
import { openFile } from '../../files/source.ts';
import { elementCount, type Tensor } from '../../tensor.ts';
import { MAX_DEFLATE_RATIO, MAX_INFLATED_BYTES } from '../limits.ts';
import { rowStore } from '../rowStore.ts';

/** Is it the name of an IDX file in MNIST's style: `train-images-idx3-ubyte.gz`, `t10k-labels.idx1-ubyte`? */
export function isIdxName(name: string): boolean {
  return /[-.]idx\d-ubyte(\.gz)?$/i.test(name);
}

/** An IDX file of bytes. */
export interface IdxFile {
  readonly dims: readonly number[];
  /** uint8 rows. */
  readRows(start: number, count: number): Promise<Tensor>;
  close(): void;
}

/**
 * Opens an IDX file of unsigned bytes. A .gz is inflated once, up to 2 GiB, to memory or a temporary file.
 *
 * @throws LossgraftError `bad-idx` where header and size do not agree, `idx-dtype` for other elements than bytes, `idx-too-large`.
 */
export async function openIdxFile(path: string): Promise<IdxFile> {
  return /\.gz$/i.test(path) ? openZipped(path) : openPlain(path);
}

function openPlain(path: string): IdxFile {
  const file = openFile(path);
  try {
    const header = parseHeader(Uint8Array.from(file.read(0, Math.min(file.size, HEADER_WINDOW))), path);
    if (file.size !== header.size) throw wrongSize(path, header, `${file.size} bytes`);
    return idxFile(path, header, {
      readInto: (target, offset) => file.readInto(target, offset),
      close: () => file.close(),
    });
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openZipped(path: string): Promise<IdxFile> {
  const zipped = statSync(path).size;
  const store = rowStore(path);
  let header: Header | undefined;
  try {
    for await (const chunk of inflated(path)) {
      store.append(chunk);
      if (header === undefined && store.size >= HEADER_WINDOW) header = zippedHeader(path, startOf(store), zipped);
      if (header !== undefined && store.size > header.size)
        throw wrongSize(path, header, `more than ${header.size} bytes`);
    }
    header ??= zippedHeader(path, startOf(store), zipped);
    if (store.size !== header.size) throw wrongSize(path, header, `${store.size} bytes`);
    return idxFile(path, header, store);
  } catch (error) {
    store.close();
    throw error;
  }
}

function startOf(store: { readonly size: number; readInto(target: Uint8Array, offset: number): void }): Uint8Array {
  const start = new Uint8Array(Math.min(store.size, HEADER_WINDOW));
  store.readInto(start, 0);
  return start;
}

function zippedHeader(path: string, start: Uint8Array, zipped: number): Header {
  const header = parseHeader(start, path);
  if (header.size > zipped * MAX_DEFLATE_RATIO) {
    throw wrongSize(path, header, `${zipped} compressed bytes, which cannot hold that much`);
  }
  if (header.size <= MAX_INFLATED_BYTES) return header;
  throw new LossgraftError({
    code: 'idx-too-large',
    where: path,
    expected: `at most ${MAX_INFLATED_BYTES} bytes in a .gz, which is inflated`,
    found: `${header.size} bytes`,
    hint: 'Decompress it: lossgraft then reads it in place, at any size',
  });
}

async function* inflated(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of file.pipe(gunzip)) if (chunk instanceof Uint8Array) yield chunk;
  } catch (cause) {
    if (cause instanceof LossgraftError) throw cause;
    throw badIdx(path, 'a whole gzip file', cause instanceof Error ? cause.message : String(cause));
  } finally {
    file.destroy();
    gunzip.destroy();
  }
}

interface Header {
  readonly dims: readonly number[];
  readonly dataOffset: number;
  /** Of the whole file. */
  readonly size: number;
}

/** Enough for the header of any rank that IDX can name. */
const HEADER_WINDOW = 4 + 4 * 255;

const UBYTE = 8;

/** Two zero bytes, the type of the elements, the rank; then the sizes as big-endian 32-bit numbers (LeCun's MNIST page). */
function parseHeader(start: Uint8Array, path: string): Header {
  const [first, second, type, rank = 0] = start;
  const dataOffset = 4 + 4 * rank;
  if (first !== 0 || second !== 0 || rank === 0 || start.length < dataOffset) {
    const found = start.length === 0 ? 'an empty file' : `bytes ${[...start.subarray(0, 4)].join(' ')}`;
    throw badIdx(path, 'an IDX file: 0, 0, a type, a rank above 0 and as many sizes', found);
  }
  if (type !== UBYTE) {
    throw new LossgraftError({
      code: 'idx-dtype',
      where: path,
      expected: `unsigned bytes (type ${UBYTE})`,
      found: `type ${type}`,
      hint: 'Convert the data, for example to .npy',
    });
  }
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = dataOffset + elementCount(dims);
  if (Number.isSafeInteger(size)) return { dims, dataOffset, size };
  throw badIdx(path, 'sizes that fit into memory addresses', dims.slice(0, 8).join(' × '));
}

interface Bytes {
  readInto(target: Uint8Array, offset: number): void;
  close(): void;
}

function idxFile(path: string, { dims, dataOffset }: Header, bytes: Bytes): IdxFile {
  const [rows = 0, ...rest] = dims;
  const width = elementCount(rest);
  const readRows = async (start: number, count: number): Promise<Tensor> => {
    if (start < 0 || count < 0 || start + count > rows) {
      throw badIdx(path, `rows among 0…${rows - 1}`, `${count} rows from ${start} on`);
    }
    const data = new Uint8Array(count * width);
    bytes.readInto(data, dataOffset + start * width);
    return { dtype: 'uint8', dims: [count, ...rest], data };
  };
  return { dims, readRows, close: () => bytes.close() };
}

function wrongSize(path: string, { dims, size }: Header, found: string): LossgraftError {
  return badIdx(path, `${size} bytes for uint8[${dims.join(', ')}], as its header says`, found);
}

function badIdx(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-idx',
    where,
    expected,
    found,
    hint: 'The file is damaged or truncated; download it again',
  });
}
