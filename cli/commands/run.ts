import { csvCell, dataRows, flag, type OptionsOf, pick, runRows, shortestFloat32, text } from '../../src/catalogue.ts';
import type { RunResult, Tensor } from '../../src/index.ts';
import { command, type Door } from '../command.ts';
import { dataOptionRows } from '../dataOptions.ts';
import { modelRow } from '../fileOptions.ts';
import { formatNumber, noteOnce, print, printData, printJson, table } from '../io.ts';
import { tell } from '../log.ts';
import { checkOutput, writeText, writeWhole } from '../output.ts';
import { type PartsAsked, partOptionRows, partsAsked, tellPart } from '../parts.ts';
import { throughSamples } from '../throughSamples.ts';

const rows = {
  model: { ...modelRow, describe: 'A model that augment wrote, or its folder' },
  ...dataOptionRows,
  csv: text('Write the samples to this file instead of stdout', { first: true }),
  npz: text('Write the samples to this .npz', { first: true }),
  force: flag('Replace existing outputs', { first: true }),
  ...runRows,
  ...partOptionRows,
} as const;

type Options = OptionsOf<typeof rows>;

/** lossgraft run */
export const runCommand = command({
  name: 'run',
  describe: 'Run an augmented model over data: the loss and factor of every sample as CSV, and their means by class',
  rows,
  examples: [
    ['run net-ib.onnx --data train.npz > samples.csv', 'samples as CSV; the table by class on stderr'],
    ['run net-ib.onnx --data train.npz --csv samples.csv', 'samples in a file; the table on stdout'],
    ['run net-ib.onnx --data images.npy --labels labels.npy --json', 'the means as JSON'],
    ['run net-ib.onnx --data photos --preprocess preprocessor_config.json', 'images in class folders'],
    ['run net-ib.onnx --data train.csv --label-column species', 'a table of numbers'],
    ['run net-ib.onnx --data train.csv --tokenizer tokenizer.json --max-length 128', 'a table of texts'],
  ],
  epilogue: '--json prints the loss, the means by class and the notes. The samples go to --csv or --npz.',
  run: async ({ options, json }, lossgraft) => {
    const { model, data, labels, csv, npz, force = false } = options;
    const { part, parts } = partsAsked(options, csv ?? npz);
    if (part !== undefined && parts !== undefined) return scorePart(options, { part, parts }, json, lossgraft);
    const inputs = [model, data, ...(labels === undefined ? [] : [labels])];
    for (const path of [csv, npz]) if (path !== undefined) checkOutput(lossgraft, path, { force, inputs });
    const { onNote, noteRest } = noteOnce();
    const result = await compute(options, parts, onNote, lossgraft);
    await write(options, json, result, lossgraft);
    noteRest(result.notes);
  },
});

function sourcesOf(options: Options) {
  return { models: async () => undefined, data: options.data, options: pick(dataRows, options) };
}

async function compute(
  options: Options,
  parts: string | undefined,
  onNote: (text: string) => void,
  lossgraft: Door,
): Promise<RunResult> {
  const own = { ...pick(runRows, options), ...(parts === undefined ? {} : { parts }), onNote };
  return throughSamples(lossgraft, sourcesOf(options), ({ data, onProgress }) =>
    lossgraft.run(options.model, data, { ...own, onProgress }),
  );
}

async function scorePart(options: Options, asked: Required<PartsAsked>, json: boolean, lossgraft: Door): Promise<void> {
  const { onNote } = noteOnce();
  const own = { ...pick(runRows, options), ...asked, force: options.force ?? false, onNote };
  const report = await throughSamples(lossgraft, sourcesOf(options), ({ data, onProgress }) =>
    lossgraft.runPart(options.model, data, { ...own, onProgress }),
  );
  await tellPart(report, json);
}

async function write({ csv: path, npz }: Options, json: boolean, result: RunResult, { writeNpz }: Door): Promise<void> {
  if (path !== undefined) await writeText(path, csv(result));
  if (npz !== undefined) {
    const arrays = arraysOf(result);
    await writeWhole(npz, (temporary) => writeNpz(temporary, arrays));
  }
  const { labels: _labels, labelSets: _labelSets, perSample: _perSample, ...summary } = result;
  if (json) await printJson(summary);
  else if (path !== undefined || npz !== undefined) await print(describe(result));
  else {
    for (const piece of csv(result)) await printData(piece);
    tell(describe(result));
  }
}

/**
 * Row, label, the model's outputs per sample, and the name of the class if known; numbers in the shortest form that reads back as the
 * same float32.
 */
function* csv({ labels, labelSets, perSample, classNames }: RunResult): Generator<string> {
  const columns = Object.entries(perSample);
  // All labels of a sample in one cell, by name if they have names.
  const cellOf = (row: number, label: bigint): string =>
    labelSets ? csvCell((labelSets[row] ?? []).map((k) => classNames?.[k] ?? String(k)).join('|')) : String(label);
  const isNamed = classNames !== null && labelSets === undefined;
  const named = (label: bigint): string[] => (isNamed ? [csvCell(classNames?.[Number(label)] ?? '')] : []);
  yield `${['row', labelSets ? 'labels' : 'label', ...columns.map(([own]) => own), ...(isNamed ? ['class'] : [])].join(',')}\n`;
  for (let start = 0; start < labels.length; start += 4096) {
    const rows = Array.from(labels.subarray(start, start + 4096), (label, i) => {
      const row = start + i;
      return `${[row, cellOf(row, label), ...columns.map(([, values]) => shortestFloat32(values[row] ?? Number.NaN)), ...named(label)].join(',')}\n`;
    });
    yield rows.join('');
  }
}

function arraysOf({ labels, labelSets, perSample }: RunResult): Record<string, Tensor> {
  const columns = Object.entries(perSample).map(([own, data]): [string, Tensor] => [
    own,
    { dtype: 'float32', dims: [data.length], data },
  ]);
  const own = labelSets ? hotOf(labelSets) : { dtype: 'int64' as const, dims: [labels.length], data: labels };
  return { labels: own, ...Object.fromEntries(columns) };
}

/** A row of 0 and 1 per sample, up to the last label that one has. */
function hotOf(labelSets: NonNullable<RunResult['labelSets']>): Tensor {
  const width = labelSets.reduce((most, own) => Math.max(most, ...own.map((k) => k + 1)), 0);
  const data = new Uint8Array(labelSets.length * width);
  for (const [row, own] of labelSets.entries()) for (const k of own) data[row * width + k] = 1;
  return { dtype: 'uint8', dims: [labelSets.length, width], data };
}

function describe(result: RunResult): string {
  const outputs = Object.keys(result.perSample);
  const rows = result.classes.map(({ label, name, samples, means }) => [
    name ?? label,
    samples,
    ...outputs.map((own) => means[own] ?? null),
  ]);
  const head = ['class', 'samples', ...outputs.map((own) => `mean ${own}`)];
  const loss = `loss ${formatNumber(result.loss)} (${result.reduction} of ${result.samples} samples, ${result.provider})\n`;
  return `${table(head, rows)}\n${loss}`;
}
