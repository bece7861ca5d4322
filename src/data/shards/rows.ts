import { elementCount, type Tensor, type TensorData } from '../../tensor.ts';
import { allocateRows, joinData } from '../../tensorRows.ts';
import { checkRows } from '../dataset.ts';
import { decodeElements } from '../numpy/npy.ts';
import { HEADER_WINDOW, parseNpyHeader } from '../numpy/npyHeader.ts';
import type { Shard, ShardedColumn, ShardIndex } from './format.ts';
import { badShard } from './readIndex.ts';
import type { FolderFiles, VerifiedFile } from './verified.ts';

/** The rows of a column, over the borders of shards. */
export interface ShardRows {
  /** Rows `start` to `start + count`, as they are stored; texts for columns of texts. */
  read(start: number, count: number): Tensor;
}

/**
 * Opens the shards of a column. Sizes are checked now, headers and contents when a shard is first read.
 *
 * @throws LossgraftError `shard-changed`, or `bad-shards` if a file does not hold what the index says.
 */
export function openRows(
  column: StoredColumn,
  index: Pick<ShardIndex, 'rows' | 'rowsPerShard'>,
  files: FolderFiles,
  where: string,
): ShardRows {
  const readers = column.shards.map((shard) => {
    return column.stored === 'utf-8' ? textShard(column, shard, files) : numberShard(column, shard, files);
  });
  const { rows, rowsPerShard } = index;
  const read = (start: number, count: number): Tensor => {
    checkRows([rows], start, count, where);
    const parts: Tensor[] = [];
    for (let at = start; at < start + count; at += parts.at(-1)?.dims[0] ?? count) {
      const first = at % rowsPerShard;
      const wanted = Math.min(start + count - at, rowsPerShard - first);
      const part = readers[Math.floor(at / rowsPerShard)]?.(first, wanted);
      if (part === undefined) throw new RangeError(`${where}: row ${at} has no shard`);
      parts.push(part);
    }
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only;
    if (only === undefined) return emptyOf(readers, column);
    return { ...only, dims: [count, ...column.shape], data: joinData(parts.map(({ data }) => data)) };
  };
  return { read };
}

/** What is needed to read a column. */
type StoredColumn = Pick<ShardedColumn, 'dtype' | 'shape' | 'stored' | 'shards'>;

type ReadShard = (start: number, count: number) => Tensor;

function emptyOf([first]: readonly ReadShard[], { shape, dtype }: StoredColumn): Tensor {
  return allocateRows(first?.(0, 1) ?? { dtype, dims: [0, ...shape], data: [] }, 0);
}

function numberShard(column: StoredColumn, shard: Shard, files: FolderFiles): ReadShard {
  const file = files.open(shard);
  const { shape } = column;
  const dtype = column.stored === 'scaled-bytes' ? 'uint8' : column.dtype;
  const array = arrayIn(file, shard, `${dtype}[${[shard.rows, ...shape].join(', ')}]`);
  return (start, count) => {
    const { header, bytesAt } = array();
    const width = elementCount(shape) * header.itemBytes;
    return { dtype, dims: [count, ...shape], data: decodeElements(bytesAt(start * width, count * width), header) };
  };
}

/** Texts, one after the other in UTF-8; their ends in a second file. */
function textShard({ shape }: StoredColumn, shard: Shard, files: FolderFiles): ReadShard {
  const { ends } = shard;
  const file = files.open(shard);
  if (ends === undefined) throw badShard(file.path, 'a file of the ends of its texts', 'none');
  const width = elementCount(shape);
  const array = arrayIn(file, shard);
  const ending = arrayIn(files.open(ends), ends, `int64[${shard.rows * width}]`);
  let all: TensorData | undefined;
  const endAt = (i: number): number => {
    if (i < 0) return 0;
    const { header, bytesAt } = ending();
    all ??= decodeElements(bytesAt(0, shard.rows * width * header.itemBytes), header);
    return Number(all[i] ?? 0);
  };
  return (start, count) => {
    const text = array();
    const data = Array.from({ length: count * width }, (_, i) => {
      const from = endAt(start * width + i - 1);
      return new TextDecoder().decode(text.bytesAt(from, endAt(start * width + i) - from));
    });
    return { dtype: 'string', dims: [count, ...shape], data };
  };
}

interface StoredArray {
  readonly header: ReturnType<typeof parseNpyHeader>;
  bytesAt(offset: number, length: number): Uint8Array<ArrayBuffer>;
}

/** The array of an .npy file, whose header is read once. @param expected its type and shape. */
function arrayIn(file: VerifiedFile, { bytes }: { readonly bytes: number }, expected?: string): () => StoredArray {
  let found: StoredArray | undefined;
  return () => {
    if (found !== undefined) return found;
    const start = new Uint8Array(Math.min(bytes, HEADER_WINDOW));
    file.readInto(start, 0);
    const header = parseNpyHeader(start, bytes, file.path);
    const has = `${header.dtype}[${header.dims.join(', ')}]`;
    if (header.fortran || header.bigEndian || (expected !== undefined && has !== expected))
      throw badShard(file.path, expected ?? 'bytes', has);
    const bytesAt: StoredArray['bytesAt'] = (offset, length) => {
      const target = new Uint8Array(length);
      file.readInto(target, header.dataOffset + offset);
      return target;
    };
    found = { header, bytesAt };
    return found;
  };
}
