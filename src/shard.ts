import type { Dataset } from './data/dataset.ts';
import type { ShardIndex } from './data/shards/format.ts';
import { writeShards } from './data/shards/write.ts';
import { checkOptions } from './options/check.ts';
import type { OptionsOf } from './options/row.ts';
import { shardRows } from './tables/shard.ts';
import { refuseExisting } from './write.ts';

export type ShardOptions = OptionsOf<typeof shardRows>;

/** See src/laterVerbs.ts. */
export async function shard(data: Dataset, folder: string, options: ShardOptions = {}): Promise<ShardIndex> {
  checkOptions(shardRows, options);
  refuseExisting(folder, options.force ?? false);
  return writeShards(data, folder, options);
}
