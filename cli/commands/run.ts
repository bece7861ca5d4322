import { openData, type Provider, type RunResult, run, type Tensor, writeNpz } from '../../src/index.ts';
import type { Command, Shared } from '../command.ts';
import { DATA_FORMATS, type DataArgs, dataOptions, givenData } from '../dataOptions.ts';
import { defined } from '../defined.ts';
import { formatNumber, note, print, printJson, progressBar, table } from '../io.ts';
import { checkOutput, writeText, writeWhole } from '../output.ts';

interface Args extends DataArgs {
  model: string;
  data: string;
  labels: string | undefined;
  csv: string | undefined;
  npz: string | undefined;
  'batch-size': number | undefined;
  provider: Provider | undefined;
  force: boolean | undefined;
}

const PROVIDERS: readonly Provider[] = ['cpu', 'cuda'];

/** lossgraft run */
export const runCommand: Command<Args> = {
  command: 'run <model>',
  describe: 'Run an augmented model over data: loss and factor of every sample as CSV, and their means by class',
  builder: (yargs) =>
    dataOptions(yargs)
      .positional('model', { type: 'string', demandOption: true, describe: 'A model that augment wrote' })
      .option('data', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: DATA_FORMATS,
      })
      .option('labels', { type: 'string', requiresArg: true, describe: 'A file of labels, if --data has none' })
      .option('csv', {
        type: 'string',
        requiresArg: true,
        describe: 'Write the samples to this file instead of stdout',
      })
      .option('npz', { type: 'string', requiresArg: true, describe: 'Write the samples to this .npz' })
      .option('force', { type: 'boolean', describe: 'Replace outputs that exist' })
      .option('batch-size', { type: 'number', requiresArg: true, describe: 'Samples per run (default 256)' })
      .option('provider', {
        choices: PROVIDERS,
        requiresArg: true,
        describe: 'Who computes (default cpu); cuda never falls back',
      })
      .example('$0 run net-ib.onnx --data train.npz > samples.csv', 'samples as CSV; the table by class on stderr')
      .example('$0 run net-ib.onnx --data train.npz --csv samples.csv', 'samples in a file; the table on stdout')
      .example('$0 run net-ib.onnx --data images.npy --labels labels.npy --json', 'the means as JSON')
      .example('$0 run net-ib.onnx --data photos --preprocess preprocessor_config.json', 'images in class folders')
      .example('$0 run net-ib.onnx --data train.csv --label-column species', 'a table of numbers')
      .example('$0 run net-ib.onnx --data train.csv --tokenizer tokenizer.json --max-length 128', 'a table of texts')
      .epilogue('--json prints loss, means by class and notes; the samples go to --csv or --npz.'),
  handler: async (args) => {
    const inputs = [args.model, args.data, ...(args.labels === undefined ? [] : [args.labels])];
    for (const path of [args.csv, args.npz]) {
      if (path !== undefined) checkOutput(path, { force: args.force ?? false, inputs });
    }
    const result = await compute(args);
    await write(args, result);
    for (const text of result.notes) note(text);
  },
};

async function compute(args: Args): Promise<RunResult> {
  const data = await openData(args.data, { ...givenData(args), ...defined({ labels: args.labels }) });
  const bar = progressBar('samples');
  try {
    return await run(args.model, data, {
      ...defined({ provider: args.provider, batchSize: args['batch-size'] }),
      onProgress: ({ done, total }) => bar.update(done, total),
    });
  } finally {
    bar.stop();
    data.close();
  }
}

async function write(args: Args & Shared, result: RunResult): Promise<void> {
  if (args.csv !== undefined) await writeText(args.csv, csv(result));
  if (args.npz !== undefined) {
    const arrays = arraysOf(result);
    await writeWhole(args.npz, (temporary) => writeNpz(temporary, arrays));
  }
  const { labels: _labels, perSample: _perSample, ...summary } = result;
  if (args.json) await printJson(summary);
  else if (args.csv !== undefined || args.npz !== undefined) await print(describe(result));
  else {
    for (const piece of csv(result)) await print(piece);
    process.stderr.write(describe(result));
  }
}

/** row, label, and what the model gives per sample; numbers in the shortest form that reads back as the same float32. */
function* csv({ labels, perSample }: RunResult): Generator<string> {
  const columns = Object.entries(perSample);
  yield `${['row', 'label', ...columns.map(([own]) => own)].join(',')}\n`;
  for (let start = 0; start < labels.length; start += 4096) {
    const rows = Array.from(labels.subarray(start, start + 4096), (label, i) => {
      const row = start + i;
      return `${[row, label, ...columns.map(([, values]) => shortest(values[row] ?? Number.NaN))].join(',')}\n`;
    });
    yield rows.join('');
  }
}

/** Nine digits tell any two float32 apart; fewer are taken where they do. */
function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : String(value);
}

function arraysOf({ labels, perSample }: RunResult): Record<string, Tensor> {
  const columns = Object.entries(perSample).map(([own, data]): [string, Tensor] => [
    own,
    { dtype: 'float32', dims: [data.length], data },
  ]);
  return { labels: { dtype: 'int64', dims: [labels.length], data: labels }, ...Object.fromEntries(columns) };
}

function describe(result: RunResult): string {
  const outputs = Object.keys(result.perSample);
  const rows = result.classes.map(({ label, samples, means }) => [
    label,
    samples,
    ...outputs.map((own) => means[own] ?? null),
  ]);
  const head = ['class', 'samples', ...outputs.map((own) => `mean ${own}`)];
  const loss = `loss ${formatNumber(result.loss)} (${result.reduction} of ${result.samples} samples, ${result.provider})\n`;
  return `${table(head, rows)}\n${loss}`;
}
