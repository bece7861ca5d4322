import { type Column, type Dataset, LABELS } from '../../data/dataset.ts';
import type { Part } from '../../data/samples.ts';
import { selectRows } from '../../data/select.ts';
import type { Tensor } from '../../tensor.ts';

/**
 * Training rows as the model reads them: converted, normalised, with labels as its classes. Images stay bytes behind a scale, where the
 * model reads them as they are.
 *
 * @param labels the label input of the graphs.
 */
export async function boundData(data: Dataset, part: Part, labels: string): Promise<Dataset> {
  const { samples, rows } = part;
  const first = await samples.read(rows.slice(0, 1));
  const chosen = selectRows(data, rows);
  const columns = new Map<string, Column>();
  for (const [name, tensor] of Object.entries(first)) {
    if (name === labels) columns.set(LABELS, labelColumn(part, tensor));
    else columns.set(name, (await storedColumn(chosen, name, tensor)) ?? inputColumn(part, name, tensor));
  }
  return {
    name: data.name,
    columns,
    unnamed: undefined,
    ...(data.source ? { source: data.source } : {}),
    close: () => {},
  };
}

/** The column of the data, if the model reads its numbers unchanged: then its bytes are a quarter of them. */
async function storedColumn(chosen: Dataset, name: string, first: Tensor): Promise<Column | undefined> {
  const column = chosen.columns.get(name) ?? chosen.unnamed;
  if (column?.bytes === undefined || column.dtype !== first.dtype) return undefined;
  const own = await column.read(0, 1);
  const isSame = String(own.dims) === String(first.dims) && Buffer.compare(bytesOf(own), bytesOf(first)) === 0;
  return isSame ? column : undefined;
}

function bytesOf({ data }: Tensor): Uint8Array {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array();
}

function inputColumn({ samples, rows }: Part, name: string, { dtype, dims }: Tensor): Column {
  return {
    dtype,
    dims: [rows.length, ...dims.slice(1)],
    read: async (start, count) => {
      const tensor = (await samples.read(rows.slice(start, start + count)))[name];
      if (tensor === undefined) throw new Error(`no input ${name}`);
      return tensor;
    },
  };
}

/** All labels are in memory: no image is read for them. */
function labelColumn({ samples: { labels, hot }, rows }: Part, { dtype, dims }: Tensor): Column {
  const width = hot === undefined ? 1 : hot.length / labels.length;
  const read = async (start: number, count: number): Promise<Tensor> => {
    const own = rows.slice(start, start + count);
    if (hot === undefined)
      return { dtype, dims: [own.length], data: BigInt64Array.from(own, (row) => labels[row] ?? 0n) };
    const data = new Float32Array(own.length * width);
    for (const [i, row] of own.entries()) data.set(hot.subarray(row * width, (row + 1) * width), i * width);
    return { dtype, dims: [own.length, width], data };
  };
  return { dtype, dims: [rows.length, ...dims.slice(1)], read };
}
