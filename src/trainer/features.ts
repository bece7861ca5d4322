import { type RowStore, rowStore } from '../data/rowStore.ts';
import type { Part } from '../data/samples.ts';
import { buffersOf, fillUp, type Samples } from '../data/samples.ts';
import { worstDifference } from '../numbers.ts';
import { isRuntimeType, type RuntimeType, viewAs } from '../runtime/feeds.ts';
import { elementCount, isText, type Tensor } from '../tensor.ts';
import { rowOf } from '../tensorRows.ts';
import type { Tensors } from '../thread/protocol.ts';
import type { Runner } from '../thread/runner.ts';
import type { FrozenPart } from '../trainGraph/frozenPart.ts';

/** The runner's graph of the frozen layers. */
export const FROZEN = 'frozen';

/** How a batch is fed to the frozen part. */
interface Reader {
  readonly runner: Runner;
  readonly part: FrozenPart;
  /** Rows computed together. */
  readonly batch: number;
  /** The batch that the model fixes. */
  readonly fixed: number | undefined;
}

/** One tensor of the cache: the layout of its rows. */
interface Layout {
  readonly name: string;
  readonly dtype: Exclude<RuntimeType, 'string'>;
  readonly dims: readonly number[];
  readonly bytes: number;
  readonly offset: number;
}

/** The frozen part's outputs for rows of some data, including the model's inputs that are read behind it. */
async function freezeRows({ runner, part, fixed }: Reader, samples: Samples, rows: Uint32Array): Promise<Tensors> {
  const feeds = fillUp(await samples.read(rows), fixed);
  const passed = part.passed.flatMap((name) => (feeds[name] ? [[name, feeds[name]] as const] : []));
  const handedOn = Object.entries(samples.isFresh ? feeds : {}).filter(([name]) => !part.passed.includes(name));
  const made = await runner.ask({ kind: 'freeze', graph: FROZEN, feeds }, buffersOf(Object.fromEntries(handedOn)));
  const renamed = Object.entries(made).flatMap(([name, tensor]) => {
    const feed = part.feeds[name];
    return feed === undefined ? [] : [[feed, tensor] as const];
  });
  return Object.fromEntries([...renamed, ...passed]);
}

/** Rows in other batches may differ only by the order of summation. */
const TOLERANCE = { float16: 1e-3, other: 1e-5 };

/**
 * The layout of a cache row, from a first look at the data, and whether rows depend on one another: the same rows are computed at another
 * place in a batch, beside another one.
 *
 * @returns the bytes of a row, or why a cache is impossible.
 */
export async function probeRows(
  reader: Reader,
  { samples, rows }: Part,
): Promise<{ readonly rowBytes: number } | { readonly why: string }> {
  const size = reader.fixed ?? 2;
  if (rows.length <= size) return { why: `there are too few samples to check that rows are independent` };
  const one = await freezeRows(reader, samples, rows.slice(0, size));
  // Shifted by one: another row comes first.
  const other = await freezeRows(reader, samples, Uint32Array.from([rows[size] ?? 0, ...rows.slice(0, size - 1)]));
  for (const [name, tensor] of Object.entries(one)) {
    const shifted = other[name];
    if (tensor.dims[0] !== size || shifted === undefined) return { why: `"${name}" has no row for each sample` };
    const tolerance = tensor.dtype === 'float16' ? TOLERANCE.float16 : TOLERANCE.other;
    for (let row = 0; row + 1 < size; row++) {
      const worst = worstDifference(rowOf(tensor, row), rowOf(shifted, row + 1));
      if (worst > tolerance) return { why: `rows of "${name}" depend on the batch that they are in` };
    }
  }
  return { rowBytes: layoutsOf(one).reduce((sum, { bytes }) => sum + bytes, 0) };
}

function layoutsOf(tensors: Tensors): Layout[] {
  let offset = 0;
  return Object.entries(tensors).map(([name, { dtype, dims, data }]) => {
    if (isText(data) || !isRuntimeType(dtype) || dtype === 'string') throw new Error(`"${name}" is of ${dtype}`);
    const own = dims.slice(1);
    const bytes = elementCount(own) * data.BYTES_PER_ELEMENT;
    const layout = { name, dtype, dims: own, bytes, offset };
    offset += bytes;
    return layout;
  });
}

/** The cached outputs of the frozen part for the rows of a part, in a store that spills to disk if it is large. */
export interface FeatureCache {
  readonly samples: Samples;
  close(): void;
}

/** A batch that is computed ahead. Its error is reported when it is awaited, and left aside if it never is. */
function frozenRows(reader: Reader, samples: Samples, rows: Uint32Array): Promise<Tensors> {
  const coming = freezeRows(reader, samples, rows);
  coming.catch(() => {});
  return coming;
}

interface CacheOptions {
  readonly labels: string;
  /** The folder of the store's file. */
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
  onRows?(done: number): void;
}

/**
 * Runs the frozen part once over rows of data, in parts. The resulting samples hold its outputs in place of the model's inputs.
 *
 * @throws LossgraftError `store-failed` on a full disk; and as reading the data does.
 */
export async function cacheFeatures(
  reader: Reader,
  samples: Samples,
  parts: readonly Uint32Array[],
  { labels, folder, signal, onRows }: CacheOptions,
): Promise<FeatureCache> {
  const store = rowStore(`${samples.name}, features`, folder);
  const places = new Int32Array(samples.size).fill(-1);
  let layouts: readonly Layout[] = [];
  const batches = parts.flatMap((rows) =>
    Array.from({ length: Math.ceil(rows.length / reader.batch) }, (_, i) =>
      rows.subarray(i * reader.batch, (i + 1) * reader.batch),
    ),
  );
  try {
    let done = 0;
    let coming = batches[0] && frozenRows(reader, samples, batches[0]);
    for (const [i, batch] of batches.entries()) {
      signal?.throwIfAborted();
      const made = await coming;
      const next = batches[i + 1];
      coming = next && frozenRows(reader, samples, next);
      if (i === 0) layouts = layoutsOf(made ?? {});
      append(store, layouts, made ?? {}, batch.length);
      for (const [k, row] of batch.entries()) places[row] = done + k;
      done += batch.length;
      onRows?.(done);
    }
  } catch (error) {
    store.close();
    throw error;
  }
  const rowBytes = layouts.reduce((sum, { bytes }) => sum + bytes, 0);
  const read = async (wanted: Uint32Array): Promise<Record<string, Tensor>> => ({
    ...readRows(store, layouts, places, wanted),
    [labels]: labelsAt(samples, wanted),
  });
  return { samples: { ...samples, rowBytes, isFresh: true, read }, close: () => store.close() };
}

/** Row by row, with the tensors of a row in sequence. */
function append(store: RowStore, layouts: readonly Layout[], made: Tensors, rows: number): void {
  for (let row = 0; row < rows; row++) {
    for (const { name, bytes } of layouts) {
      const data = made[name]?.data;
      if (data === undefined || isText(data)) throw new Error(`no features ${name}`);
      store.append(new Uint8Array(data.buffer, data.byteOffset + row * bytes, bytes));
    }
  }
}

function readRows(
  store: RowStore,
  layouts: readonly Layout[],
  places: Int32Array,
  rows: Uint32Array,
): Record<string, Tensor> {
  const rowBytes = layouts.reduce((sum, { bytes }) => sum + bytes, 0);
  const filled = layouts.map((layout) => ({ layout, bytes: new Uint8Array(rows.length * layout.bytes) }));
  for (const [i, row] of rows.entries()) {
    const place = places[row] ?? -1;
    if (place < 0) throw new Error(`no features of row ${row}`);
    for (const { layout, bytes } of filled) {
      store.readInto(bytes.subarray(i * layout.bytes, (i + 1) * layout.bytes), place * rowBytes + layout.offset);
    }
  }
  return Object.fromEntries(
    filled.map(({ layout: { name, dtype, dims }, bytes }) => [
      name,
      { dtype, dims: [rows.length, ...dims], data: viewAs(dtype, bytes.buffer) },
    ]),
  );
}

function labelsAt({ labels, hot }: Samples, rows: Uint32Array): Tensor {
  if (hot !== undefined) {
    const width = hot.length / labels.length;
    const picked = new Float32Array(rows.length * width);
    for (const [i, row] of rows.entries()) picked.set(hot.subarray(row * width, (row + 1) * width), i * width);
    return { dtype: 'float32', dims: [rows.length, width], data: picked };
  }
  return { dtype: 'int64', dims: [rows.length], data: BigInt64Array.from(rows, (row) => labels[row] ?? 0n) };
}
