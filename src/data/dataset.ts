import type { Tensor } from '../tensor.ts';
import { type Column, tensorColumn } from './numpy/npy.ts';

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
  /** Names of the classes by index, where the data have names. */
  readonly classNames?: readonly string[];
  /** How the data were read: what was chosen, found and converted. */
  readonly notes?: readonly string[];
  /** What a row is to the user: a file, a line. */
  describeRow?(row: number): string;
  /** What a row holds, for people: the text, or the table's cells by column. */
  showRow?(row: number): string | Promise<string>;
  close(): void;
}

/** Samples that are already in memory; `tensors` by the name of the model's input, and `labels`. */
export function fromTensors(tensors: Readonly<Record<string, Tensor>>, name = 'tensors'): Dataset {
  const columns = new Map(Object.entries(tensors).map(([key, tensor]) => [key, tensorColumn(tensor)]));
  return { name, columns, unnamed: undefined, close() {} };
}
