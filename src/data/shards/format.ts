import type { DataType } from '../../tensor.ts';
import type { DataSource, Dataset } from '../dataset.ts';
import type { RawColumn } from '../tables/raw.ts';

/*
 * A shards folder: columns cut into .npy files, and an index that says what they hold. docs/shards.md describes it for other readers.
 */

/** The file that makes a folder one of shards. */
export const INDEX_NAME = 'shards.json';

export const FORMAT = 'lossgraft-shards';

/** Raised when older readers would misread the folder. */
export const FORMAT_VERSION = 1;

/** A file beside the index. */
export interface HashedFile {
  /** Its name. */
  readonly file: string;
  readonly bytes: number;
  /** Of the whole file, in hex. */
  readonly sha256: string;
}

/** Consecutive rows of one column. */
export interface Shard extends HashedFile {
  readonly rows: number;
  /** For texts: where each of them ends in the file's bytes of UTF-8, int64. */
  readonly ends?: HashedFile;
}

/**
 * What a column is for: an input of the model, the labels, the probabilities of labels, the cells of a table (one column of float64 for
 * each of `table.columns`), the file that a row comes from, what people see of a row.
 */
export type ColumnRole = 'input' | 'labels' | 'soft-labels' | 'table' | 'source' | 'shown';

export interface ShardedColumn {
  readonly role: ColumnRole;
  /** Of the model's input; `null` for an array without a name. */
  readonly name: string | null;
  /** It goes to a model with one input, whatever that is called. */
  readonly isUnnamed?: true;
  /** Of the numbers that a model reads. */
  readonly dtype: DataType;
  /** Of one row. */
  readonly shape: readonly number[];
  /** How the files hold them: in their own dtype, as bytes that `scale` turns into float32, or as texts in UTF-8. */
  readonly stored: 'as-is' | 'scaled-bytes' | 'utf-8';
  /** float32 [C, 256]: the number for each byte, for each index of the first axis of a row. */
  readonly scale?: HashedFile;
  /** The numbers of a black and of a white pixel, by channel, where rows are images. */
  readonly black?: readonly number[];
  readonly white?: readonly number[];
  /** NaN stands for what is missing. */
  readonly mayBeNaN?: true;
  /** In the order of the rows. */
  readonly shards: readonly Shard[];
}

/** What labels mean. */
export interface ShardedClasses {
  readonly names: readonly string[] | null;
  /** As `Dataset.labelsFrom` says; `null`: the data came with indices. */
  readonly from: NonNullable<Dataset['labelsFrom']> | null;
  /** Where each name stands first. */
  readonly places: readonly string[] | null;
  /** Samples of each class, by index; `null` without labels. A sample with several labels counts for each. */
  readonly counts: readonly number[] | null;
}

/** The cells of a table, which become numbers when a model's inputs are known. */
export interface ShardedTable {
  readonly columns: readonly RawColumn[];
  readonly isChosen: boolean;
  /** Those that say what cells become. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The content of the index. */
export interface ShardIndex {
  readonly format: typeof FORMAT;
  readonly version: typeof FORMAT_VERSION;
  /** The version that wrote it. */
  readonly lossgraft: string;
  readonly rows: number;
  /** Of every shard but the last. */
  readonly rowsPerShard: number;
  readonly columns: readonly ShardedColumn[];
  readonly classes: ShardedClasses;
  readonly table: ShardedTable | null;
  /** Names for the numbers of a row's inputs, in order, where they are columns of a table. */
  readonly cells: readonly string[] | null;
  /** What the shards were made from, and what was chosen, found and converted then. */
  readonly provenance: { readonly data: DataSource | null; readonly name: string; readonly notes: readonly string[] };
}
