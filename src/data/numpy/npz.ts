import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ZipFile as ZipWriter } from 'yazl';
import { LossgraftError } from '../../errors.ts';
import type { ByteSource } from '../../files/bytes.ts';
import { openFile } from '../../files/source.ts';
import type { Tensor } from '../../tensor.ts';
import type { Column } from '../dataset.ts';
import { MAX_ENTRIES, MAX_INFLATED_BYTES } from '../limits.ts';
import { type RowStore, rowStore } from '../rowStore.ts';
import { encodeNpy, npyColumn, type ReadBytes } from './npy.ts';
import { HEADER_WINDOW, parseNpyHeader } from './npyHeader.ts';

/** The arrays of an .npz by name. Stored arrays are read in place; compressed ones are inflated when they are first read. */
export interface Npz {
  readonly columns: ReadonlyMap<string, Column>;
  close(): void;
}

const STORED = 0;
const DEFLATED = 8;

/**
 * Opens an .npz. Only the headers of its arrays are read.
 *
 * @throws LossgraftError if it is not a zip of .npy files, an array's size differs from its header, or a compressed array would take more
 * than 2 GiB.
 */
export async function openNpz(path: string): Promise<Npz> {
  const file = openFile(path);
  let zip: ZipFile | undefined;
  const stores: RowStore[] = [];
  const close = (): void => {
    for (const store of stores) store.close();
    zip?.close();
    file.close();
  };
  try {
    zip = await openPromise(path, { autoClose: false, lazyEntries: true });
    return { columns: await readColumns(path, zip, file, stores), close };
  } catch (cause) {
    close();
    throw cause instanceof LossgraftError ? cause : badZip(path, cause);
  }
}

/**
 * Writes arrays as an .npz, stored, with fixed time stamps: the same arrays give the same bytes.
 *
 * @param path is overwritten.
 */
export async function writeNpz(path: string, arrays: Readonly<Record<string, Tensor>>): Promise<void> {
  const zip = new ZipWriter();
  for (const [name, tensor] of Object.entries(arrays)) {
    const body = encodeNpy(tensor);
    zip.addBuffer(Buffer.from(body.buffer, body.byteOffset, body.byteLength), `${name}.npy`, {
      compress: false,
      mtime: new Date(1980, 0, 1),
    });
  }
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}

async function readColumns(
  path: string,
  zip: ZipFile,
  file: ByteSource,
  stores: RowStore[],
): Promise<Map<string, Column>> {
  const columns = new Map<string, Column>();
  if (zip.entryCount > MAX_ENTRIES) throw refused(path, `at most ${MAX_ENTRIES} arrays`, `${zip.entryCount}`);
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName.replace(/\.npy$/, '');
    const where = `${path}, array ${name}`;
    if (name === entry.fileName) throw refused(path, 'only arrays (NAME.npy)', entry.fileName);
    if (columns.has(name)) throw refused(path, 'one array of each name', `${name} twice`);
    if (entry.isEncrypted()) throw refused(where, 'a plain entry', 'an encrypted one');
    columns.set(name, await readColumn(where, zip, entry, file, stores));
  }
  return columns;
}

async function readColumn(
  where: string,
  zip: ZipFile,
  entry: Entry,
  file: ByteSource,
  stores: RowStore[],
): Promise<Column> {
  const size = entry.uncompressedSize;
  if (entry.compressionMethod === STORED) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const start = Uint8Array.from(file.read(fileDataStart, Math.min(size, HEADER_WINDOW)));
    const read: ReadBytes = async (target, offset) => file.readInto(target, fileDataStart + offset);
    return npyColumn(parseNpyHeader(start, size, where), where, read);
  }
  if (entry.compressionMethod !== DEFLATED) {
    throw refused(where, 'a stored or deflated entry', `compression method ${entry.compressionMethod}`);
  }
  if (size > MAX_INFLATED_BYTES) {
    throw new LossgraftError({
      code: 'npz-too-large',
      where,
      expected: `at most ${MAX_INFLATED_BYTES} bytes in a compressed array, which must be decompressed in memory`,
      found: `${size} bytes`,
      hint: 'Save it with numpy.savez, uncompressed: lossgraft then reads it in place, at any size',
    });
  }
  const prefix = await readPrefix(await zip.openReadStreamPromise(entry), Math.min(size, HEADER_WINDOW), where);
  const header = parseNpyHeader(prefix, size, where);
  let inflated: Promise<void> | undefined;
  const store = rowStore(where);
  stores.push(store);
  const read: ReadBytes = async (target, offset) => {
    inflated ??= inflate(where, zip, entry, store);
    await inflated;
    store.readInto(target, offset);
  };
  return npyColumn(header, where, read);
}

async function readPrefix(stream: Readable, length: number, where: string): Promise<Uint8Array> {
  const prefix = new Uint8Array(length);
  let done = 0;
  for await (const chunk of chunks(stream, where)) {
    const part = chunk.subarray(0, length - done);
    prefix.set(part, done);
    done += part.length;
    if (done === length) break;
  }
  return prefix.subarray(0, done);
}

/** The zip reader ensures that exactly the declared size comes out. */
async function inflate(where: string, zip: ZipFile, entry: Entry, store: RowStore): Promise<void> {
  let sum = 0;
  for await (const chunk of chunks(await zip.openReadStreamPromise(entry), where)) {
    store.append(chunk);
    sum = crc32(chunk, sum);
  }
  if (sum !== entry.crc32) throw refused(where, `bytes with CRC-32 ${entry.crc32}`, `${sum}`);
}

async function* chunks(stream: Readable, where: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch (cause) {
    throw badZip(where, cause);
  }
}

function refused(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-npz',
    where,
    expected,
    found,
    hint: 'Save the file again with numpy.savez',
  });
}

function badZip(where: string, cause: unknown): LossgraftError {
  return new LossgraftError({
    code: 'bad-npz',
    where,
    expected: 'a zip of NumPy arrays',
    found: cause instanceof Error ? cause.message : String(cause),
    hint: 'The file is damaged or not an .npz; save it again with numpy.savez',
    cause,
  });
}
