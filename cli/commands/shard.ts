import { dataRows, flag, pick, shardRows, text } from '../../src/catalogue.ts';
import type { ShardIndex } from '../../src/index.ts';
import { command } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { modelRow } from '../fileOptions.ts';
import { note, print, printJson, table } from '../io.ts';
import { checkOutput } from '../output.ts';
import { throughSamples } from '../throughSamples.ts';

const { required: _required, ...optionalModel } = modelRow;

/** lossgraft shard */
export const shardCommand = command({
  name: 'shard',
  describe: 'Write data as shards: a folder of .npy files with hashes, which every command reads as it reads the data',
  rows: {
    model: {
      ...optionalModel,
      describe: 'The model that will read them: what its folder says of images, texts and tables counts',
    },
    ...dataOptionRows,
    output: text('The folder to write', { alias: 'o', required: true }),
    unlabelled: flag('The data have no labels, or none that count', { first: true }),
    ...shardRows,
  },
  examples: [
    ['shard vit --data photos -o photos.shards', 'images as bytes, resized as the model’s folder says'],
    ['shard --data train.csv --label-column species -o train.shards', 'the cells of a table'],
    ['train net.onnx --data train.shards', 'shards are data as any other'],
  ],
  run: async ({ options, json }, lossgraft) => {
    const { model, data, output, labels, force = false } = options;
    const inputs = [model, data, labels].filter((path) => path !== undefined);
    checkOutput(lossgraft, output, { force, inputs });
    const index = await throughSamples(
      lossgraft,
      { models: async () => undefined, data, options: pick(dataRows, options) },
      ({ data: opened, onProgress }) => lossgraft.shard(opened, output, { ...pick(shardRows, options), onProgress }),
    );
    for (const each of index.provenance.notes) note(each);
    await (json ? printJson({ folder: output, ...index }) : print(`${describe(index)}written ${output}\n`));
  },
});

function describe({ rows, rowsPerShard, columns, classes }: ShardIndex): string {
  const lines = columns.map(({ role, name, dtype, shape, stored, shards }) => [
    name ?? role,
    `${dtype}[${['N', ...shape].join(', ')}]`,
    stored === 'scaled-bytes' ? 'bytes' : stored === 'utf-8' ? 'texts' : 'numbers',
    shards.length,
    shards.reduce((sum, shard) => sum + shard.bytes + (shard.ends?.bytes ?? 0), 0),
  ]);
  const names = classes.names ?? classes.counts?.map((_, k) => String(k)) ?? [];
  const counts = classes.counts?.map((count, k) => `${names[k] ?? k} ${count}`) ?? [];
  const shown = counts.length > 20 ? [...counts.slice(0, 20), `… (${counts.length})`] : counts;
  const labelled = shown.length === 0 ? '' : `classes: ${shown.join(', ')}\n`;
  return `${table(['column', 'type', 'stored as', 'shards', 'bytes'], lines)}${rows} rows, ${rowsPerShard} to a shard\n${labelled}`;
}
