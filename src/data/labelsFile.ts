import { readFileSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { isText } from '../tensor.ts';
import { indexedLabels, labelCollector } from './classIndex.ts';
import { type Column, type Dataset, LABELS, tensorColumn } from './dataset.ts';
import { isIdxName, openIdxFile } from './idx/idxFile.ts';
import { MAX_TEXT_BYTES } from './limits.ts';
import { openArrays } from './numpy/arrays.ts';

/**
 * Opens a file of labels: .npy, .npz with an array `labels`, IDX, or .txt with one label per line.
 *
 * @throws LossgraftError `unknown-labels-format`, `no-labels`, and as the formats do.
 */
export async function openLabels(path: string): Promise<{ column: Column; close(): void }> {
  if (isIdxName(basename(path))) {
    const file = await openIdxFile(path);
    return { column: { dtype: 'uint8', dims: file.dims, read: file.readRows }, close: file.close };
  }
  if (extname(path).toLowerCase() === '.txt') return { column: readLines(path), close() {} };
  if (!['.npy', '.npz'].includes(extname(path).toLowerCase())) throw unknownFormat(path);
  const { columns, unnamed, close } = await openArrays(path);
  const column = unnamed ?? columns.get(LABELS);
  if (column !== undefined) return { column, close };
  close();
  throw new LossgraftError({
    code: 'no-labels',
    where: path,
    expected: `an array ${LABELS}`,
    found: [...columns.keys()].join(', ') || 'no array',
    hint: 'Pass an .npy of labels, or an .npz with that key',
  });
}

function readLines(path: string): Column {
  const { size } = statSync(path);
  if (size > MAX_TEXT_BYTES) throw tooLarge(path, size);
  const lines = readFileSync(path, 'utf8')
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return tensorColumn({ dtype: 'string', dims: [lines.length], data: lines });
}

/** Labels that are texts, as class indices. @throws LossgraftError `missing-value` and `label-names`, with the row. */
export async function indexTexts(data: Dataset, areNames: boolean, key: string = LABELS): Promise<Dataset> {
  const column = data.columns.get(key);
  if (column?.dtype !== 'string' || column.dims.length !== 1) return data;
  const collector = labelCollector(areNames);
  const { data: texts } = await column.read(0, column.dims[0] ?? 0);
  for (const [row, text] of (isText(texts) ? texts : []).entries())
    collector.add(text, `${data.name}, labels, row ${row}`);
  const index = collector.finish();
  return { ...data, columns: new Map([...data.columns, [key, index.column]]), ...indexedLabels(index) };
}

/** `data` with the labels of a file. @throws LossgraftError `labels-twice`, after closing `data`. */
export async function withLabels(data: Dataset, path: string): Promise<Dataset> {
  try {
    if (data.columns.has(LABELS)) throw twice(data.name, path);
    const labels = await openLabels(path);
    return {
      ...data,
      columns: new Map([...data.columns, [LABELS, labels.column]]),
      close: () => {
        data.close();
        labels.close();
      },
    };
  } catch (error) {
    data.close();
    throw error;
  }
}

function unknownFormat(path: string): LossgraftError {
  return new LossgraftError({
    code: 'unknown-labels-format',
    where: path,
    expected: 'a file of labels that ends in .npy, .npz, .txt or -ubyte (.gz)',
    found: extname(path) || 'no extension',
    hint: 'Save the labels with numpy.save',
  });
}

function tooLarge(where: string, size: number): LossgraftError {
  return new LossgraftError({
    code: 'labels-too-large',
    where,
    expected: `at most ${MAX_TEXT_BYTES} bytes of text`,
    found: `${size}`,
    hint: 'Save the labels with numpy.save',
  });
}

function twice(data: string, labels: string): LossgraftError {
  return new LossgraftError({
    code: 'labels-twice',
    where: data,
    expected: `labels once`,
    found: `an array ${LABELS} here, and ${labels}`,
    hint: 'Omit the labels file',
  });
}
