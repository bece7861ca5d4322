import { dirname, resolve } from 'node:path';
import { breather } from '../../breather.ts';
import { LossgraftError, option } from '../../errors.ts';
import { indexedLabels, labelCollector } from '../classIndex.ts';
import { type Dataset, LABELS } from '../dataset.ts';
import { noRows } from '../noRows.ts';
import type { DataOptions } from '../options.ts';
import { type Cell, placeOf, type Table } from '../tables/table.ts';
import { chooseLabels, columnIndex } from '../tables/tableColumns.ts';
import { imageColumn, readPixels, refuseNoImage } from './imageFolder.ts';
import { outputSize } from './preprocess.ts';
import { preprocessOf } from './preprocessOptions.ts';
import type { Pixels } from './resample.ts';

/**
 * Reads a table of paths and labels. Paths are relative to the table's folder, or absolute; images are as in `openImageFolder`.
 *
 * @throws LossgraftError for paths that are missing or lead to no image, and for missing labels, with the row.
 */
export async function openImageTable(table: Table, column: string, options: DataOptions): Promise<Dataset> {
  try {
    const preprocess = preprocessOf(options);
    const paths = columnIndex(table, column, 'image-column');
    const labels = options.unlabelled ? undefined : chooseLabels(table, options);
    const collector = labelCollector(options.classes !== undefined);
    const files: string[] = [];
    const breathe = breather(options.signal);
    for await (const { cells, line } of table.rows(labels === undefined ? [paths] : [paths, labels])) {
      const place = placeOf(table, files.length, line);
      files.push(checkedPath(folderOf(table, files.length), cells[0], `${place}, column ${column}`));
      if (labels !== undefined) collector.add(cells[1] ?? null, `${place}, column ${table.columns[labels]}`);
      await breathe();
    }
    if (files.length === 0) throw noRows(table.name);
    const pathOf = (row: number): string => resolve(folderOf(table, row), files[row] ?? '');
    const pixelsOf = (row: number): Promise<Pixels> => readPixels(pathOf(row), preprocess);
    const size = outputSize(preprocess) ?? (await pixelsOf(0));
    const index = labels === undefined ? undefined : collector.finish();
    return {
      name: table.name,
      columns: new Map(index === undefined ? [] : [[LABELS, index.column]]),
      unnamed: imageColumn({ files }, size, preprocess, pixelsOf),
      ...indexedLabels(index),
      describeRow: (row) => files[row] ?? '',
      further: files.map((_, row) => pathOf(row)),
      notes: [
        `${table.name}: ${files.length} images from column ${column}${labels === undefined ? '' : `; labels from ${table.columns[labels]}`}`,
      ],
      close() {},
    };
  } finally {
    table.close();
  }
}

function folderOf(table: Table, row: number): string {
  return dirname(table.fileOf?.(row).file ?? table.name);
}

function checkedPath(folder: string, cell: Cell | undefined, where: string): string {
  if (typeof cell !== 'string' || cell === '') throw noImage(where, 'nothing');
  try {
    refuseNoImage(resolve(folder, cell));
  } catch (cause) {
    throw cause instanceof LossgraftError ? noImage(where, `${cell}: ${cause.problem.found}`, cause) : cause;
  }
  return cell;
}

function noImage(where: string, found: string, cause?: unknown): LossgraftError {
  return new LossgraftError({
    code: 'image-format',
    where,
    expected: 'the path of a JPEG, PNG, GIF, WebP or TIFF, relative to the folder of the table',
    found,
    hint: `Correct the path, take the row out, or name the column of paths with ${option('imageColumn')}`,
    cause,
  });
}
