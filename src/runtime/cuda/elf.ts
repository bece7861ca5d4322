import { open } from 'node:fs/promises';
import { LossgraftError } from '../../errors.ts';

/** What the dynamic linker reads in a shared library. */
export interface ElfLibrary {
  /** The processor's name, or its ELF number where it is another than x86-64 and AArch64. */
  readonly machine: string;
  readonly soname: string | undefined;
  /** DT_NEEDED, in order. */
  readonly needed: readonly string[];
  /** DT_RUNPATH, or DT_RPATH where there is none; `$ORIGIN` is not replaced. */
  readonly runpath: readonly string[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const TAG = { null: 0n, needed: 1n, strtab: 5n, strsz: 10n, soname: 14n, rpath: 15n, runpath: 29n } as const;
const MACHINES: Readonly<Record<number, string>> = { 62: 'x86-64', 183: 'AArch64' };
const MAX_TABLE = 64 * 1024 * 1024;

interface Segment {
  readonly type: number;
  readonly offset: bigint;
  readonly address: bigint;
  readonly size: bigint;
}

type ReadAt = (offset: bigint, size: bigint) => Promise<Buffer>;

/**
 * Reads the dynamic section of a 64-bit little-endian ELF file (ELF-64 object file format, chapters 3 to 7).
 *
 * @throws LossgraftError where the file is something else or is cut off.
 */
export async function readElf(path: string): Promise<ElfLibrary> {
  const refuse = (found: string): LossgraftError =>
    new LossgraftError({
      code: 'not-elf',
      where: path,
      expected: 'a 64-bit little-endian ELF shared library',
      found,
      hint: 'The file is damaged or belongs to another system: install it again',
    });
  const file = await open(path);
  try {
    const read: ReadAt = async (offset, size) => {
      if (size > MAX_TABLE) throw refuse(`a table of ${size} bytes`);
      const buffer = Buffer.alloc(Number(size));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, Number(offset));
      if (bytesRead < buffer.length) throw refuse(`the end of the file within ${size} bytes at ${offset}`);
      return buffer;
    };
    const header = await read(0n, 64n);
    if (header.readUInt32BE(0) !== 0x7f454c46) throw refuse('no ELF signature');
    if (header[4] !== 2 || header[5] !== 1) throw refuse('another ELF class or byte order');
    const machine = header.readUInt16LE(18);
    const dynamic = await readDynamic(read, await readSegments(read, header));
    return { machine: MACHINES[machine] ?? `machine ${machine}`, ...dynamic };
  } finally {
    await file.close();
  }
}

async function readSegments(read: ReadAt, header: Buffer): Promise<Segment[]> {
  const entry = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  if (count === 0 || entry < 56) return [];
  const table = await read(header.readBigUInt64LE(32), BigInt(entry * count));
  return Array.from({ length: count }, (_, i) => {
    const at = i * entry;
    return {
      type: table.readUInt32LE(at),
      offset: table.readBigUInt64LE(at + 8),
      address: table.readBigUInt64LE(at + 16),
      size: table.readBigUInt64LE(at + 32),
    };
  });
}

async function readDynamic(read: ReadAt, segments: readonly Segment[]): Promise<Omit<ElfLibrary, 'machine'>> {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return { soname: undefined, needed: [], runpath: [] };
  const table = await read(dynamic.offset, dynamic.size);
  const entries: { tag: bigint; value: bigint }[] = [];
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const tag = table.readBigUInt64LE(at);
    if (tag === TAG.null) break;
    entries.push({ tag, value: table.readBigUInt64LE(at + 8) });
  }
  const values = (wanted: bigint): bigint[] => entries.filter(({ tag }) => tag === wanted).map(({ value }) => value);
  const [address = 0n] = values(TAG.strtab);
  const [size = 0n] = values(TAG.strsz);
  const strings = await read(fileOffset(segments, address), size);
  const names = (wanted: bigint): string[] => values(wanted).map((offset) => stringAt(strings, Number(offset)));
  const runpath = names(TAG.runpath);
  return {
    soname: names(TAG.soname)[0],
    needed: names(TAG.needed),
    runpath: (runpath.length > 0 ? runpath : names(TAG.rpath)).flatMap((paths) => paths.split(':')),
  };
}

function fileOffset(segments: readonly Segment[], address: bigint): bigint {
  const load = segments.find((s) => s.type === PT_LOAD && address >= s.address && address < s.address + s.size);
  return load === undefined ? address : address - load.address + load.offset;
}

function stringAt(table: Buffer, offset: number): string {
  const end = table.indexOf(0, offset);
  return table.toString('utf8', offset, end < 0 ? table.length : end);
}
