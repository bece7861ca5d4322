import { type HashedWriter, hashedWriter, writeTextFiles } from '../data/shards/hashedWriter.ts';
import { LossgraftError } from '../errors.ts';
import { type DataType, isText, type Tensor } from '../tensor.ts';
import { viewRows } from '../tensorRows.ts';
import type { PassName, RecordedPass, RecordedTensor } from './format.ts';
import type { Pass } from './pass.ts';
import { type PartNumber, type RowRange, rowsOfPart } from './plan.ts';

/** A pass over the rows of a part that keeps what the model gave. */
export interface RecordingPass extends Pass {
  /** After the last batch. */
  finish(): RecordedPass;
  close(): void;
}

/** @param folder of the part; the files of the pass go into it. */
export function recordingPass(folder: string, name: PassName, part: PartNumber): RecordingPass {
  const recorders = new Map<string, Recorder>();
  let range: (RowRange & Pick<RecordedPass, 'total' | 'batchSize'>) | undefined;
  const rows: Pass['rows'] = (total, batchSize) => {
    range = { ...rowsOfPart(part, total, batchSize), total, batchSize };
    return range;
  };
  const recorderFor = (key: string, first: Tensor): Recorder => {
    const known = recorders.get(key);
    if (known) return known;
    const size = range === undefined ? 0 : range.last - range.first;
    const made = recorder(folder, `${name}-${recorders.size}`, key, first, size);
    recorders.set(key, made);
    return made;
  };
  const through: Pass['through'] = async (_start, count, live) => {
    const tensors = await live();
    for (const [key, tensor] of Object.entries(tensors)) {
      if ((tensor.dims[0] ?? 0) < count) throw mixedRows(key, count, tensor);
      const own = viewRows(tensor, 0, count);
      recorderFor(key, own).add(own);
    }
    return tensors;
  };
  return {
    rows,
    through,
    finish: () => {
      if (range === undefined) throw new RangeError('a pass that never began');
      return { ...range, tensors: Array.from(recorders.values(), (each) => each.finish()) };
    },
    close: () => {
      for (const each of recorders.values()) each.close();
    },
  };
}

interface Recorder {
  add(tensor: Tensor): void;
  finish(): RecordedTensor;
  close(): void;
}

function recorder(folder: string, stem: string, name: string, { dtype, dims }: Tensor, rows: number): Recorder {
  const shape = dims.slice(1);
  const about = { name, dtype, shape };
  const same = (tensor: Tensor): Tensor => {
    if (tensor.dtype !== dtype || String(tensor.dims.slice(1)) !== String(shape))
      throw otherShape(name, dtype, shape, tensor);
    return tensor;
  };
  if (dtype === 'string') {
    const texts: string[] = [];
    return {
      add: (tensor) => {
        const { data } = same(tensor);
        if (isText(data)) for (const text of data) texts.push(text);
      },
      finish: () => ({ ...about, stored: 'utf-8', shards: [{ ...writeTextFiles(folder, stem, texts), rows }] }),
      close() {},
    };
  }
  const writer: HashedWriter = hashedWriter(folder, `${stem}.npy`, dtype, [rows, ...shape]);
  return {
    add: (tensor) => writer.add(same(tensor).data),
    finish: () => ({ ...about, stored: 'as-is', shards: [{ ...writer.finish(), rows }] }),
    close: writer.close,
  };
}

function mixedRows(name: string, count: number, { dtype, dims }: Tensor): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where: name,
    expected: `a row for each of ${count} samples`,
    found: `${dtype}[${dims.join(', ')}]`,
    hint: 'A model that mixes the samples of a batch cannot be run over data; export it otherwise',
  });
}

function otherShape(name: string, dtype: DataType, shape: readonly number[], found: Tensor): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where: name,
    expected: `${dtype}[N${shape.map((dim) => `, ${dim}`).join('')}], as of the batches before`,
    found: `${found.dtype}[${found.dims.join(', ')}]`,
    hint: 'A model whose outputs change their shape from batch to batch cannot be run in parts',
  });
}
