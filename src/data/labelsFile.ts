import { basename, extname } from 'node:path';
import { LossgraftError } from '../errors.ts';
import type { Column } from './dataset.ts';
import { type Dataset, LABELS } from './dataset.ts';
import { isIdxName, openIdxFile } from './idx/idxFile.ts';
import { openArrays } from './numpy/arrays.ts';

/**
 * Opens a file of labels: .npy, .npz with an array `labels`, or IDX.
 *
 * @throws LossgraftError `unknown-labels-format`, `no-labels`, and as the formats do.
 */
export async function openLabels(path: string): Promise<{ column: Column; close(): void }> {
  if (isIdxName(basename(path))) {
    const file = await openIdxFile(path);
    return { column: { dtype: 'uint8', dims: file.dims, read: file.readRows }, close: file.close };
  }
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
    hint: 'Give an .npy of labels, or an .npz with that key',
  });
}

/** `data` with the labels of a file. @throws LossgraftError `labels-twice`; `data` is closed then. */
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
    expected: 'a file of labels that ends in .npy, .npz or -ubyte (.gz)',
    found: extname(path) || 'no extension',
    hint: 'Write the labels with numpy.save',
  });
}

function twice(data: string, labels: string): LossgraftError {
  return new LossgraftError({
    code: 'labels-twice',
    where: data,
    expected: `labels once`,
    found: `an array ${LABELS} here, and ${labels}`,
    hint: 'Leave the labels file out',
  });
}
