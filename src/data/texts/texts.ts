import { join } from 'node:path';
import { breather } from '../../breather.ts';
import { LossgraftError } from '../../errors.ts';
import { openFile } from '../../files/source.ts';
import type { Tensor } from '../../tensor.ts';
import { indexedLabels, labelCollector } from '../classIndex.ts';
import { type Column, type Dataset, LABELS } from '../dataset.ts';
import { describeFiles, folderLabels, listClasses, listSamples } from '../folder.ts';
import { MAX_TEXT_CHARACTERS } from '../limits.ts';
import { noRows } from '../noRows.ts';
import type { DataOptions, TextOptions } from '../options.ts';
import { type RowStore, rowStore } from '../rowStore.ts';
import { placeOf, type Table } from '../tables/table.ts';
import { chooseLabels, columnIndex } from '../tables/tableColumns.ts';
import { loadTokenizer } from './tokenizer.ts';

/**
 * Reads a column of texts: every one is turned into tokens now, and kept in memory or a temporary file. Columns `input_ids`,
 * `attention_mask` and `token_type_ids`, int64 [N, maxLength]; a model with one input gets the first, whatever it is called.
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

/** The column called text, or else the only one but the labels. */
function textColumn({ columns }: Table, labels: number | undefined): string {
  const others = columns.filter((_, i) => i !== labels);
  return columns.includes('text') || others.length !== 1 ? 'text' : (others[0] ?? 'text');
}

/**
 * Reads .txt files in a subfolder for each class, as {@link readTexts} does.
 *
 * @throws LossgraftError for files that are no UTF-8, or too long, by name.
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

interface TokenStore {
  readonly size: number;
  /** How texts are cut and filled up. */
  readonly how: string;
  /** @throws LossgraftError for this text, or one that was added before. */
  add(text: string, where: string): Promise<void>;
  /** After the last text. */
  finish(): Promise<void>;
  columns(): [string, Column][];
  /** The text of a row as its tokens tell it. */
  show(row: number): Promise<string>;
  close(): void;
}

/** What the tokens are called: as Hugging Face's models call them, or as `tokenInputs` says. */
function tokenNames({ tokenInputs = {} }: TextOptions): readonly [string, string, string] {
  const own = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
  const stray = Object.keys(tokenInputs).find((name) => !own.some((known) => known === name));
  const [ids, mask, types] = own.map((name) => tokenInputs[name] ?? name);
  if (
    ids !== undefined &&
    mask !== undefined &&
    types !== undefined &&
    stray === undefined &&
    new Set([ids, mask, types]).size === 3
  )
    return [ids, mask, types];
  throw new LossgraftError({
    code: 'token-inputs',
    where: 'option tokenInputs',
    expected: `other names for ${own.join(', ')}, each its own`,
    found: stray ?? Object.values(tokenInputs).join(', '),
    hint: 'Correct it: input_ids=ids,attention_mask=mask',
  });
}

interface Placed {
  readonly text: string;
  readonly where: string;
}

/** Texts that are tokenized at a time. */
const TEXTS_AT_ONCE = 1024;

/** Hands texts on, many at a time; few where they are long, or their tokens many. */
function inBatches(width: number, work: (batch: readonly Placed[]) => Promise<void>) {
  let waiting: Placed[] = [];
  let characters = 0;
  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    characters = 0;
    if (batch.length > 0) await work(batch);
  };
  return {
    add: async (placed: Placed): Promise<void> => {
      waiting.push(placed);
      characters += Math.max(placed.text.length, width);
      if (waiting.length === TEXTS_AT_ONCE || characters >= MAX_TEXT_CHARACTERS) await flush();
    },
    flush,
  };
}

async function tokenStore(name: string, options: TextOptions): Promise<TokenStore> {
  const [idsName, maskName, typesName] = tokenNames(options);
  const encoder = await loadTokenizer(options);
  const { width, spare } = encoder;
  const ids = rowStore(name);
  const masks = rowStore(name);
  const types = rowStore(name);
  let size = 0;
  let longest = 1;
  const column = (read: Read): Column =>
    spare === undefined
      ? tokenColumn(name, [size, width], read)
      : tokenColumn(name, [size, longest], within(read, width, longest, spare));
  const batches = inBatches(width, async (batch) => {
    const block = await encoder.encode(
      batch.map(({ text }) => text),
      (i) => batch[i]?.where ?? name,
    );
    ids.append(new Uint8Array(block.ids.buffer, block.ids.byteOffset, block.ids.byteLength));
    masks.append(block.mask);
    types.append(block.types);
    for (let i = 0; i < batch.length; i++)
      longest = Math.max(longest, sumOf(block.mask.subarray(i * width, (i + 1) * width)));
  });
  return {
    get how() {
      return spare === undefined || longest === width ? encoder.how : `${encoder.how} at most, ${longest} here`;
    },
    get size() {
      return size;
    },
    add: async (text, where) => {
      if (text.length > MAX_TEXT_CHARACTERS) throw tooLong(where, text.length);
      size++;
      await batches.add({ text, where });
    },
    finish: async () => {
      await batches.flush();
      encoder.rest();
    },
    columns: () => [
      [idsName, column(readWords(ids))],
      [maskName, column(readBytes(masks))],
      [typesName, column(readBytes(types))],
    ],
    show: (row) => {
      const words = readWords(ids)(width * row, width);
      const isText = readBytes(masks)(width * row, width);
      return encoder.decode([...words].filter((_, i) => isText[i] === 1));
    },
    close: () => {
      encoder.rest();
      for (const store of [ids, masks, types]) store.close();
    },
  };
}

/** The elements from `start` on. */
type Read = (start: number, count: number) => Uint32Array | Uint8Array;

function sumOf(mask: Uint8Array): number {
  return mask.reduce((sum, one) => sum + one, 0);
}

/** Rows without the padding that none of them needs. */
function within(read: Read, width: number, kept: number, spare: 'left' | 'right'): Read {
  const skipped = spare === 'left' ? width - kept : 0;
  return (start, count) => {
    const rows = count / kept;
    const wide = read((start / kept) * width, rows * width);
    const narrow = wide.slice(0, count);
    for (let i = 0; i < rows; i++) narrow.set(wide.subarray(i * width + skipped, i * width + skipped + kept), i * kept);
    return narrow;
  };
}

function readWords(store: RowStore): Read {
  return (start, count) => {
    const words = new Uint32Array(count);
    store.readInto(new Uint8Array(words.buffer), 4 * start);
    return words;
  };
}

function readBytes(store: RowStore): Read {
  return (start, count) => {
    const bytes = new Uint8Array(count);
    store.readInto(bytes, start);
    return bytes;
  };
}

function tokenColumn(name: string, dims: readonly [number, number], elements: Read): Column {
  const [size, width] = dims;
  const read = async (start: number, count: number): Promise<Tensor> => {
    if (start < 0 || count < 0 || start + count > size) throw outside(name, size, start, count);
    const data = BigInt64Array.from(elements(start * width, count * width), BigInt);
    return { dtype: 'int64', dims: [count, width], data };
  };
  return { dtype: 'int64', dims, read };
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

function tooLong(where: string, found: number): LossgraftError {
  return new LossgraftError({
    code: 'text-too-long',
    where,
    expected: `at most ${MAX_TEXT_CHARACTERS} characters`,
    found: `${found}`,
    hint: 'Cut the text',
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

function outside(where: string, size: number, start: number, count: number): LossgraftError {
  return new LossgraftError({
    code: 'rows-out-of-range',
    where,
    expected: `rows among 0…${size - 1}`,
    found: `${count} rows from ${start} on`,
    hint: 'Read within the data',
  });
}
