import { dataRows, flag, type OptionsOf, pick, predictRows, text } from '../../src/catalogue.ts';
import type { PredictSummary } from '../../src/index.ts';
import { command, type Door } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { classifierRow } from '../fileOptions.ts';
import { noteOnce, print, printJson, table } from '../io.ts';
import { tell } from '../log.ts';
import { checkOutput } from '../output.ts';
import { type PartsAsked, partOptionRows, partsAsked, tellPart } from '../parts.ts';
import { type Opening, throughSamples } from '../throughSamples.ts';

const { labels: _labels, ...dataRowsWithoutLabels } = dataOptionRows;

const rows = {
  model: classifierRow,
  ...dataRowsWithoutLabels,
  output: text('Write to this .csv, .jsonl or .parquet file instead of CSV to stdout', { alias: 'o', first: true }),
  force: flag('Replace the output if it exists', { first: true }),
  ...predictRows,
  ...partOptionRows,
} as const;

type Options = OptionsOf<typeof rows>;

/** lossgraft predict */
export const predictCommand = command({
  name: 'predict',
  describe:
    'Predict the classes of samples with any classifier: class, probability and the next classes, as CSV, JSON lines or Parquet',
  rows,
  examples: [
    ['predict net.onnx --data new.npz > predictions.csv', 'CSV; the counts of the classes go to stderr'],
    ['predict net.onnx --data photos --top-k 3 -o photos.parquet', 'images, in class folders or not'],
    ['predict net.onnx --data new.shards --part 3/16 -o new.csv', 'one of 16 parts, each on a machine of its own'],
    ['predict net.onnx --data new.shards --merge -o new.csv', 'what one process would have written'],
    ['predict net.onnx --data new.csv --probabilities -o new.jsonl', 'the probabilities of all classes'],
  ],
  epilogue:
    'Labels are not needed, and any that exist are ignored; --label-column names a column that is not a feature. --json prints ' +
    'the counts; the predictions go to --output.',
  run: async ({ options, json }, lossgraft) => {
    const { model: path, data: dataPath, output, force = false } = options;
    const { part, parts } = partsAsked(options, output);
    if (part !== undefined && parts !== undefined) return scorePart(options, { part, parts }, json, lossgraft);
    if (output !== undefined) checkOutput(lossgraft, output, { force, inputs: [path, dataPath] });
    const summary = await predictAll(options, parts, json, lossgraft);
    if (json) await printJson({ ...summary, output: output ?? null });
    else if (output === undefined) tell(describe(summary));
    else await print(`${describe(summary)}written ${output}\n`);
  },
});

function sourcesOf(options: Options) {
  return {
    models: (open: Opening) => open(options.model),
    data: options.data,
    options: { ...pick(dataRows, options), unlabelled: true },
  };
}

async function scorePart(options: Options, asked: Required<PartsAsked>, json: boolean, lossgraft: Door): Promise<void> {
  const report = await throughSamples(lossgraft, sourcesOf(options), ({ models: model, data, onProgress }) => {
    const { onNote } = noteOnce();
    const own = { ...pick(predictRows, options), ...asked, force: options.force ?? false, onNote, onProgress };
    return lossgraft.predictPart(model, data, own);
  });
  await tellPart(report, json);
}

async function predictAll(
  options: Options,
  parts: string | undefined,
  json: boolean,
  lossgraft: Door,
): Promise<PredictSummary> {
  const { output, force = false } = options;
  return throughSamples(lossgraft, sourcesOf(options), async ({ models: model, data, onProgress }) => {
    const { onNote } = noteOnce();
    const own = { ...pick(predictRows, options), ...(parts === undefined ? {} : { parts }), onNote, onProgress };
    const predictions = await lossgraft.predict(model, data, own);
    if (output !== undefined) return predictions.write(output, { force });
    return predictions.writeCsv(json ? () => {} : print);
  });
}

/** More classes are only in the file. */
const SHOWN_CLASSES = 30;

function describe({ samples, predicted, classNames, confidence, thresholds }: PredictSummary): string {
  const found = predicted
    .map((count, k) => ({ count, name: classNames[k] ?? String(k) }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
  const rows = found
    .slice(0, SHOWN_CLASSES)
    .map(({ name, count }) => [name, count, Math.round((1000 * count) / samples) / 10]);
  const more = found.length > SHOWN_CLASSES ? `and ${found.length - SHOWN_CLASSES} more classes\n` : '';
  const sure = `${samples} samples, mean probability of the ${thresholds ? 'most likely label' : 'predicted class'} ${(100 * confidence).toFixed(1)} %\n`;
  return `${table(['class', 'predicted', '%'], rows)}${more}${sure}`;
}
