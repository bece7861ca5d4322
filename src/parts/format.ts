import type { DataDigest } from '../data/digest.ts';
import type { ShardedColumn } from '../data/shards/format.ts';
import type { Provider } from '../runtime/session.ts';
import type { PartNumber, RowRange } from './plan.ts';

/** The file that makes a folder a part. */
export const PART_NAME = 'part.json';

export const PART_FORMAT = 'lossgraft-part';

/** What a part's numbers depend on: the parts of one result have the same. */
export interface PartInputs {
  readonly command: 'run' | 'predict' | 'evaluate';
  /** SHA-256 of the model's file. */
  readonly model: string;
  /** Of the one it is compared with. */
  readonly against: string | null;
  /** Without its path, which may differ from machine to machine; `null` for data that a program made. */
  readonly data: Omit<DataDigest, 'path'> | null;
  /** Those that scores depend on. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly versions: { readonly lossgraft: string; readonly onnxruntime: string };
}

/** An output of the model, or the labels, of a part's rows: one file. */
export interface RecordedTensor extends Pick<ShardedColumn, 'dtype' | 'shape' | 'stored' | 'shards'> {
  readonly name: string;
}

/** What one model gave for the part's rows. */
export interface RecordedPass extends RowRange {
  readonly total: number;
  readonly batchSize: number;
  readonly tensors: readonly RecordedTensor[];
}

export interface PartManifest extends PartNumber {
  readonly format: typeof PART_FORMAT;
  readonly version: 1;
  readonly inputs: PartInputs;
  readonly provider: Provider;
  /** The processor, for the note that the last digits may differ. */
  readonly cpu: string;
  /** Of the model, and of the one it is compared with. */
  readonly passes: { readonly own: RecordedPass; readonly against?: RecordedPass };
}

/** Which model of a comparison. */
export type PassName = keyof PartManifest['passes'];
