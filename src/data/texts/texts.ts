import { join } from 'node:path';
import { breather } from '../../breather.ts';
import { LossgraftError } from '../../errors.ts';
import { openFile } from '../../files/source.ts';
import { indexedLabels, labelCollector } from '../classIndex.ts';
import { type Dataset, LABELS } from '../dataset.ts';
import { describeFiles, folderLabels, listClasses, listSamples } from '../folder.ts';
import { MAX_TEXT_CHARACTERS } from '../limits.ts';
import { noRows } from '../noRows.ts';
import type { DataOptions } from '../options.ts';
import { placeOf, type Table } from '../tables/table.ts';
import { chooseLabels, columnIndex } from '../tables/tableColumns.ts';
import { tokenStore } from './tokenStore.ts';

/**
 * Reads a column of texts. All are tokenized now, and kept in memory or a temporary file: `input_ids`, `attention_mask` and
 * `token_type_ids`, int64 [N, maxLength]. A model with one input gets the first, whatever its name.
 *
 * @throws LossgraftError for missing texts and labels, with the row, and as the tokenizer does.
 */
export async function readTexts(table: Table, options: DataOptions): Promise<Dataset> {
  try {
    const aside = chooseLabels(table, options);
    const labels = options.unlabelled ? undefined : aside;
    const texts = columnIndex(table, options.textColumn ?? textColumn(table, aside), 'text-column');
    const collector = labelCollector(options.classes !== undefined);
    const store = await tokenStore(table.name, options);
    try {
      const breathe = breather(options.signal);
      for await (const { cells, line } of table.rows(labels === undefined ? [texts] : [texts, labels])) {
        const place = placeOf(table, store.size, line);
        const [text] = cells;
        if (typeof text !== 'string' || text === '') throw noText(`${place}, column ${table.columns[texts]}`, text);
        await breathe();
        await store.add(text, place);
        if (labels !== undefined) collector.add(cells[1] ?? null, `${place}, column ${table.columns[labels]}`);
      }
      await store.finish();
      if (store.size === 0) throw noRows(table.name);
      const index = labels === undefined ? undefined : collector.finish();
      const columns = store.columns();
      return {
        name: table.name,
        columns: new Map([...columns, ...(index === undefined ? [] : [[LABELS, index.column] as const])]),
        unnamed: columns[0]?.[1],
        ...indexedLabels(index),
        showRow: store.show,
        notes: [`${table.name}: ${store.size} texts from column ${table.columns[texts]}; ${store.how}`],
        close: store.close,
      };
    } catch (error) {
      store.close();
      throw error;
    }
  } finally {
    table.close();
  }
}

/** The column named text, or else the only one beside the labels. */
function textColumn({ columns }: Table, labels: number | undefined): string {
  const others = columns.filter((_, i) => i !== labels);
  return columns.includes('text') || others.length !== 1 ? 'text' : (others[0] ?? 'text');
}

/**
 * Reads .txt files in one subfolder per class, as {@link readTexts} does.
 *
 * @throws LossgraftError for files that are not UTF-8, or too long, by name.
 */
export async function openTextFolder(path: string, options: DataOptions): Promise<Dataset> {
  const folder = options.unlabelled ? listSamples(path, 'texts') : listClasses(path, 'texts');
  const store = await tokenStore(path, options);
  try {
    const breathe = breather(options.signal);
    for (const file of folder.files) {
      await breathe();
      await store.add(readText(join(path, file)), join(path, file));
    }
    await store.finish();
  } catch (error) {
    store.close();
    throw error;
  }
  const columns = store.columns();
  const { column, ...labels } = folderLabels(path, folder);
  return {
    name: path,
    columns: new Map(column === undefined ? columns : [...columns, [LABELS, column]]),
    unnamed: columns[0]?.[1],
    ...labels,
    describeRow: (row) => folder.files[row] ?? '',
    showRow: store.show,
    notes: [`${path}: ${describeFiles(folder, 'texts')}; ${store.how}`, ...folder.notes],
    close: store.close,
  };
}

function readText(path: string): string {
  const file = openFile(path);
  try {
    if (file.size === 0) throw noText(path, undefined);
    // A character takes up to 4 bytes of UTF-8.
    if (file.size > 4 * MAX_TEXT_CHARACTERS)
      throw badText(path, `at most ${4 * MAX_TEXT_CHARACTERS} bytes`, `${file.size}`);
    const bytes = new Uint8Array(file.size);
    file.readInto(bytes, 0);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof LossgraftError) throw cause;
    throw badText(path, 'UTF-8', 'other bytes');
  } finally {
    file.close();
  }
}

function noText(where: string, found: unknown): LossgraftError {
  const shown = found === null || found === undefined || found === '' ? 'nothing' : typeof found;
  return new LossgraftError({
    code: 'missing-value',
    where,
    expected: 'a text',
    found: shown,
    hint: 'Fill it in or remove the row',
  });
}

function badText(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-text',
    where,
    expected,
    found,
    hint: 'Convert, split or remove the file',
  });
}
