import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { replaceFileLater, writeFailed } from '../files/whole.ts';
import { csvCell, shortestFloat32 } from '../textCells.ts';
import { refuseExisting } from '../write.ts';
import { columnsOf, type PredictionColumn } from './columns.ts';
import type {
  Candidate,
  Layout,
  Prediction,
  PredictionStream,
  PredictionWriter,
  PredictSummary,
} from './prediction.ts';

type Print = (text: string) => void | Promise<void>;

/** Writes CSV, piece by piece. */
export async function printInto(stream: PredictionStream, print: Print): Promise<PredictSummary> {
  return drain(stream, csvWriter(stream.layout, print));
}

/** Writes a file in the format of its extension, completely or not at all. */
export async function writePredictions(
  stream: PredictionStream,
  path: string,
  force: boolean,
): Promise<PredictSummary> {
  const write = FORMATS[formatOf(path)];
  refuseExisting(path, force);
  return replaceFileLater(path, (temporary) => write(stream, temporary)).catch((cause: unknown) => {
    throw cause instanceof Error && 'syscall' in cause ? writeFailed(path, cause) : cause;
  });
}

/** How predictions are written. */
export type PredictionsFormat = 'csv' | 'jsonl' | 'parquet';

const EXTENSIONS: Readonly<Record<string, PredictionsFormat>> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.parquet': 'parquet',
};

/** @throws LossgraftError `predictions-format` */
export function formatOf(path: string): PredictionsFormat {
  const format = EXTENSIONS[extname(path).toLowerCase()];
  if (format !== undefined) return format;
  throw new LossgraftError({
    code: 'predictions-format',
    where: path,
    expected: 'a file name ending in .csv, .jsonl or .parquet',
    found: extname(path) || 'no extension',
    hint: 'Choose one of them',
  });
}

type Write = (stream: PredictionStream, path: string) => Promise<PredictSummary>;

const FORMATS: Readonly<Record<PredictionsFormat, Write>> = {
  csv: (stream, path) => writeText(path, (print) => drain(stream, csvWriter(stream.layout, print))),
  jsonl: (stream, path) => writeText(path, (print) => drain(stream, jsonLinesWriter(stream.layout, print))),
  parquet: async (stream, path) => {
    const { parquetWriter } = await import('./parquet.ts');
    return drain(stream, parquetWriter(stream.layout, path));
  },
};

async function drain(stream: PredictionStream, writer: PredictionWriter): Promise<PredictSummary> {
  for await (const predictions of stream.batches()) await writer.add(predictions);
  writer.end();
  return stream.summary();
}

async function writeText<T>(path: string, write: (print: Print) => Promise<T>): Promise<T> {
  const file = await open(path, 'wx');
  try {
    const made = await write(async (text) => void (await file.writeFile(text)));
    await file.sync();
    return made;
  } finally {
    await file.close();
  }
}

function csvWriter(layout: Layout, print: Print): PredictionWriter {
  let columns: readonly PredictionColumn[] = [];
  const add = (predictions: readonly Prediction[]): void | Promise<void> => {
    const isFirst = columns.length === 0;
    if (isFirst) columns = columnsOf(layout);
    const lines = predictions.map((prediction) => columns.map((column) => cellOf(column, prediction)).join(','));
    const head = isFirst ? [columns.map(({ name }) => csvCell(name)).join(',')] : [];
    return print(`${[...head, ...lines].join('\n')}\n`);
  };
  return { add, end() {} };
}

function cellOf(column: PredictionColumn, prediction: Prediction): string {
  if (column.type === 'text') return csvCell(column.of(prediction));
  const number = column.of(prediction);
  return column.type === 'integer' ? String(number) : shortestFloat32(Math.fround(number));
}

function jsonLinesWriter(
  { topK, areAll, hasSource, isMultiLabel, classNames }: Layout,
  print: Print,
): PredictionWriter {
  const rounded = (value: number): number => Number(shortestFloat32(Math.fround(value)));
  const plain = ({ class: name, index, probability }: Candidate) => ({
    class: name,
    index,
    probability: rounded(probability),
  });
  const record = (prediction: Prediction, names: readonly string[]): string => {
    const { row, source, top, probabilities } = prediction;
    return JSON.stringify({
      row,
      ...(hasSource ? { source } : {}),
      ...(isMultiLabel ? { labels: (prediction.labels ?? []).map(plain) } : {}),
      ...plain(prediction),
      ...(topK > 1 ? { top: top.map(plain) } : {}),
      ...(areAll
        ? {
            probabilities: Object.fromEntries(
              names.map((name, k) => [name, rounded(probabilities?.[k] ?? Number.NaN)]),
            ),
          }
        : {}),
    });
  };
  const add = (predictions: readonly Prediction[]): void | Promise<void> => {
    const names = classNames();
    return print(predictions.map((prediction) => `${record(prediction, names)}\n`).join(''));
  };
  return { add, end() {} };
}
