import { count, flag, given, isFunction, signalRow } from '../options/row.ts';
import type { RunProgress } from '../records/progress.ts';

/** The options of `shard`. */
export const shardRows = {
  /** Rows of each shard. Default: so that the largest shard has at most 64 MiB. */
  rowsPerShard: count('Rows of each shard (default: so that the largest shard has at most 64 MiB)', { first: true }),
  /** Replaces shards of that name. */
  force: flag('Replace the shards if they exist', { first: true }),
  /** Ends the work; nothing is left of it. */
  signal: signalRow,
  /** Called now and then, with the rows of all columns. */
  onProgress: given<(progress: RunProgress) => void>('a function', isFunction),
} as const;
