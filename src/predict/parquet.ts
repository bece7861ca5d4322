import { type ColumnSource, fileWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { columnsOf, type PredictionColumn } from './columns.ts';
import type { Layout, Prediction, PredictionWriter } from './prediction.ts';

/** Numbers in a row group over all columns: the memory needed. */
const GROUP_CELLS: number = 2 ** 20;

/** Writes a Parquet file, a row group at a time: int64, float32 and UTF-8 columns without nulls, Snappy. */
export function parquetWriter(layout: Layout, path: string): PredictionWriter {
  let writer: ParquetWriter | undefined;
  let columns: readonly PredictionColumn[] = [];
  let waiting: Prediction[] = [];
  const flush = (): void => {
    if (waiting.length === 0) return;
    writer?.write({ columnData: columns.map((column) => sourceOf(column, waiting)), rowGroupSize: waiting.length });
    waiting = [];
  };
  const add = (predictions: readonly Prediction[]): void => {
    if (writer === undefined) {
      columns = columnsOf(layout);
      writer = new ParquetWriter({ writer: fileWriter(path), schema: schemaOf(columns), createdBy: 'lossgraft' });
    }
    waiting.push(...predictions);
    if (waiting.length * columns.length >= GROUP_CELLS) flush();
  };
  const end = (): void => {
    flush();
    writer?.finish();
  };
  return { add, end };
}

const TYPES = {
  integer: { type: 'INT64' },
  float32: { type: 'FLOAT' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
} as const;

function schemaOf(columns: readonly PredictionColumn[]): SchemaElement[] {
  const leaves = columns.map(({ name, type }) => ({ name, repetition_type: 'REQUIRED' as const, ...TYPES[type] }));
  return [{ name: 'predictions', num_children: columns.length }, ...leaves];
}

function sourceOf(column: PredictionColumn, predictions: readonly Prediction[]): ColumnSource {
  const { name } = column;
  if (column.type === 'text') return { name, data: predictions.map((each) => column.of(each)) };
  if (column.type === 'float32') return { name, data: Float32Array.from(predictions, (each) => column.of(each)) };
  return { name, data: BigInt64Array.from(predictions, (each) => BigInt(column.of(each))) };
}
