import { extname } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { openFile } from '../onnx/index.ts';
import type { Tensor } from '../tensor.ts';
import { type Column, npyColumn, tensorColumn } from './npy.ts';
import { HEADER_WINDOW, parseNpyHeader } from './npyHeader.ts';
import { openNpz } from './npz.ts';

/** The name of the column of labels. */
export const LABELS = 'labels';

/** Samples: one column per model input, and labels. Nothing but headers is in memory until rows are read. */
export interface Dataset {
  /** Shown in errors. */
  readonly name: string;
  /** Columns by the name of the model's input, and `labels`. */
  readonly columns: ReadonlyMap<string, Column>;
  /** The array of an .npy file, which has no name: it goes to the model's one input. */
  readonly unnamed: Column | undefined;
  close(): void;
}

export interface DataOptions {
  /** An .npy file of labels, for data without a column `labels`. */
  readonly labels?: string;
}

/**
 * Opens samples: an .npz whose keys are the model's input names and `labels`, or an .npy for a model with one input.
 *
 * @throws LossgraftError where a file is damaged, is no array, holds Python objects, or where labels come twice.
 */
export async function openData(path: string, options: DataOptions = {}): Promise<Dataset> {
  const data = await openArrays(path);
  if (options.labels === undefined) return data;
  try {
    if (data.columns.has(LABELS)) throw twice(path, options.labels);
    const labels = await openLabels(options.labels);
    return {
      name: path,
      columns: new Map([...data.columns, [LABELS, labels.column]]),
      unnamed: data.unnamed,
      close: () => {
        data.close();
        labels.close();
      },
    };
  } catch (error) {
    data.close();
    throw error;
  }
}

/** Samples that are already in memory; `tensors` by the name of the model's input, and `labels`. */
export function fromTensors(tensors: Readonly<Record<string, Tensor>>, name = 'tensors'): Dataset {
  const columns = new Map(Object.entries(tensors).map(([key, tensor]) => [key, tensorColumn(tensor)]));
  return { name, columns, unnamed: undefined, close() {} };
}

/** Opens an .npy or .npz file as it is. */
async function openArrays(path: string): Promise<Dataset> {
  const extension = extname(path).toLowerCase();
  if (extension === '.npz') return { name: path, unnamed: undefined, ...(await openNpz(path)) };
  if (extension === '.npy') {
    const { column, close } = openNpy(path);
    return { name: path, columns: new Map(), unnamed: column, close };
  }
  throw new LossgraftError({
    code: 'unknown-data-format',
    where: path,
    expected: 'a file that ends in .npz or .npy',
    found: extension === '' ? 'no extension' : extension,
    hint: 'Write the data with numpy.savez (keys: the inputs of the model, and labels) or numpy.save',
  });
}

async function openLabels(path: string): Promise<{ column: Column; close(): void }> {
  const { columns, unnamed, close } = await openArrays(path);
  const column = unnamed ?? columns.get(LABELS);
  if (column !== undefined) return { column, close };
  close();
  throw new LossgraftError({
    code: 'no-labels',
    where: path,
    expected: `an array ${LABELS}`,
    found: [...columns.keys()].join(', ') || 'no array',
    hint: 'Give an .npy of labels, or an .npz with that key',
  });
}

/** Opens an .npy file for reading by rows. */
export function openNpy(path: string): { column: Column; close(): void } {
  const file = openFile(path);
  try {
    const start = Uint8Array.from(file.read(0, Math.min(file.size, HEADER_WINDOW)));
    const header = parseNpyHeader(start, file.size, path);
    const column = npyColumn(header, path, async (target, offset) => file.readInto(target, offset));
    return { column, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

function twice(data: string, labels: string): LossgraftError {
  return new LossgraftError({
    code: 'labels-twice',
    where: data,
    expected: `labels once`,
    found: `an array ${LABELS} here, and ${labels}`,
    hint: 'Leave the labels file out',
  });
}
