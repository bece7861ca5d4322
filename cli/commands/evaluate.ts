import { csvCell, dataRows, evaluateRows, flag, type OptionsOf, pick, text } from '../../src/catalogue.ts';
import type { Dataset, EvaluateResult } from '../../src/index.ts';
import { command, type Door } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { describeEvaluation } from '../evaluateTables.ts';
import { classifierRow } from '../fileOptions.ts';
import { noteOnce, print, printJson } from '../io.ts';
import { checkOutput, writeText } from '../output.ts';
import { type PartsAsked, partOptionRows, partsAsked, tellPart } from '../parts.ts';
import { type Opening, throughSamples } from '../throughSamples.ts';

const rows = {
  model: classifierRow,
  ...dataOptionRows,
  against: text('Another model with the same classes, to compare with on the same samples', { first: true }),
  csv: text('Write one line per sample to this file: label, prediction, probabilities', { first: true }),
  force: flag('Replace the --csv file if it exists', { first: true }),
  ...evaluateRows,
  ...partOptionRows,
} as const;

type Options = OptionsOf<typeof rows>;

/** lossgraft evaluate */
export const evaluateCommand = command({
  name: 'evaluate',
  describe:
    'Evaluate any classifier on labelled data: metrics with intervals, by class, mistakes; or compare two on the same samples',
  rows,
  examples: [
    ['evaluate net.onnx --data test.npz', 'tables'],
    [
      'evaluate tuned.onnx --data test.npz --against net.onnx',
      'what the first model gains over the other, and whether the data can tell',
    ],
    [
      'evaluate net.onnx --data photos --preprocess preprocessor_config.json --json',
      'images in class folders; for programs',
    ],
  ],
  epilogue: '--json prints all figures, for more classes than the tables show. Samples go to --csv.',
  run: async ({ options, json }, lossgraft) => {
    const { model, data, labels, against, csv, force = false } = options;
    const { part, parts } = partsAsked(options, csv);
    if (part !== undefined && parts !== undefined) return scorePart(options, { part, parts }, json, lossgraft);
    const inputs = [model, data, labels, against].filter((path) => path !== undefined);
    if (csv !== undefined) checkOutput(lossgraft, csv, { force, inputs });
    const { onNote, noteRest } = noteOnce();
    const { result, describeRow } = await judge(options, parts, onNote, lossgraft);
    noteRest(result.notes);
    if (csv !== undefined) await writeText(csv, samples(result, describeRow));
    const { perSample: _perSample, ...figures } = result;
    await (json ? printJson(figures) : print(describeEvaluation(result)));
  },
});

function sourcesOf(options: Options) {
  const { model: path, against: otherPath } = options;
  return {
    models: async (open: Opening) => ({
      model: await open(path),
      other: otherPath === undefined ? {} : { against: await open(otherPath) },
    }),
    data: options.data,
    options: pick(dataRows, options),
  };
}

async function scorePart(options: Options, asked: Required<PartsAsked>, json: boolean, lossgraft: Door): Promise<void> {
  const report = await throughSamples(lossgraft, sourcesOf(options), ({ models, data, onProgress }) => {
    const { onNote } = noteOnce();
    const own = { ...pick(evaluateRows, options), ...models.other, ...asked, force: options.force ?? false };
    return lossgraft.evaluatePart(models.model, data, { ...own, onNote, onProgress });
  });
  await tellPart(report, json);
}

async function judge(
  options: Options,
  parts: string | undefined,
  onNote: (text: string) => void,
  lossgraft: Door,
): Promise<{ result: EvaluateResult; describeRow: Dataset['describeRow'] }> {
  return throughSamples(lossgraft, sourcesOf(options), async ({ models: { model, other }, data, onProgress }) => {
    const merged = parts === undefined ? {} : { parts };
    const own = { ...pick(evaluateRows, options), ...merged, ...other, onNote, onProgress };
    return { result: await lossgraft.evaluate(model, data, own), describeRow: data.describeRow };
  });
}

const AT_ONCE = 4096;

function* samples(result: EvaluateResult, describeRow: Dataset['describeRow']): Generator<string> {
  if (result.metrics.thresholds) return yield* labelledSamples(result, describeRow);
  const { perSample, classNames } = result;
  const { labels, predicted, confidence, truth } = perSample;
  const name = (k: number | undefined): string => csvCell(classNames?.[k ?? -1] ?? String(k));
  const source = describeRow ? ['source'] : [];
  yield `${['row', ...source, 'label', 'predicted', 'probability', 'label_probability', 'right'].join(',')}\n`;
  for (let start = 0; start < labels.length; start += AT_ONCE) {
    const lines = Array.from(labels.subarray(start, start + AT_ONCE), (label, i) => {
      const row = start + i;
      const cells = [name(label), name(predicted[row]), confidence[row], truth[row], Number(label === predicted[row])];
      return `${[row, ...(describeRow ? [csvCell(describeRow(row))] : []), ...cells].join(',')}\n`;
    });
    yield lines.join('');
  }
}

/** Separates the names of labels in one cell. */
const SEPARATOR = '|';

function* labelledSamples(
  { perSample, classNames, classCounts, samples: size }: EvaluateResult,
  describeRow: Dataset['describeRow'],
): Generator<string> {
  const { labels, predicted, confidence } = perSample;
  const names = classCounts.map((_, k) => classNames?.[k] ?? String(k));
  const source = describeRow ? ['source'] : [];
  const probabilities = confidence.length > 0 ? names.map((name) => csvCell(`p_${name}`)) : [];
  yield `${['row', ...source, 'labels', 'predicted', 'right', ...probabilities].join(',')}\n`;
  const at = (hot: Int32Array, row: number): string =>
    csvCell(names.filter((_, k) => hot[row * names.length + k] === 1).join(SEPARATOR));
  for (let row = 0; row < size; row++) {
    const [own, taken] = [at(labels, row), at(predicted, row)];
    const shown = confidence.subarray(row * names.length, (row + 1) * names.length);
    const cells = [own, taken, Number(own === taken), ...Array.from(shown, (p) => Number(p.toPrecision(9)))];
    yield `${[row, ...(describeRow ? [csvCell(describeRow(row))] : []), ...cells].join(',')}\n`;
  }
}
